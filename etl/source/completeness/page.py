"""One page of a list, as received."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """One page as received; `asked` is the limit asked for, `limit` the one the server says it used."""

    offset: int
    asked: int
    records: list[Any]
    total: int | None = None
    limit: int | None = None
    overlap: int = 0
    again: frozenset[int] = frozenset()
    """Places among the fresh records of those whose id came before in the same sweep."""

    @property
    def fresh(self) -> list[Any]:
        """The records that the page before did not bring already."""
        return self.records[self.overlap :]

    @property
    def full(self) -> bool:
        """Whether the page holds all it may, so that its end says nothing about the list's."""
        return len(self.records) >= min(self.asked, self.limit or self.asked)
