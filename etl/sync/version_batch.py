"""Versions of several models, staged together: most models have few, and a page costs as much as a version."""

from dataclasses import dataclass, field
from typing import Any

from etl.records import identity
from etl.source import Page


@dataclass
class VersionBatch:
    """The versions gathered so far, and what is known of the models that they belong to."""

    records: list[Any] = field(default_factory=list)
    again: set[int] = field(default_factory=set)
    ids: set[str | None] = field(default_factory=set)
    owners: dict[int, set[str]] = field(default_factory=dict)
    """By `id()` of a record, the models whose lists it was in."""
    ended: dict[str, bool] = field(default_factory=dict)
    """Models whose list was read to its end, and whether that is proven."""
    unreadable: set[str] = field(default_factory=set)
    """Models with a version that cannot be stored."""

    def has_room_for(self, page: Page, most: int) -> bool:
        """Whether the page may be added; an id that is in the batch already must be staged first."""
        return len(self.records) + len(page.fresh) <= most and self.ids.isdisjoint(_ids(page))

    def add(self, page: Page, model_id: str) -> None:
        """Add the page of a model."""
        self.again |= {len(self.records) + place for place in page.again}
        self.records += page.fresh
        self.ids |= _ids(page)
        for record in page.fresh:
            self.owners.setdefault(id(record), set()).add(model_id)

    def clear(self) -> None:
        """Empty the batch once it is staged, but for `unreadable`."""
        for gathered in (self.records, self.again, self.ids, self.owners, self.ended):
            gathered.clear()


def _ids(page: Page) -> set[str | None]:
    return {identity(each.get("id")) for each in page.fresh if isinstance(each, dict)} - {None}
