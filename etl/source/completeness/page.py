"""One page of a list, as received."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `asked` is the limit requested, `limit` the one that the server names."""

    offset: int
    asked: int
    records: list[Any]
    total: int | None = None
    limit: int | None = None
    overlap: int = 0
    again: frozenset[int] = frozenset()
    """Positions in `new_records` of the records whose id the sweep had already seen."""

    @property
    def new_records(self) -> list[Any]:
        """The records that the previous page did not already contain."""
        return self.records[self.overlap :]

    @property
    def full(self) -> bool:
        """Whether the page is as long as allowed, so that more records may follow."""
        return len(self.records) >= min(self.asked, self.limit or self.asked)
