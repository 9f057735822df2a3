"""Versions of several models, staged together.

Most models have few versions, and the overhead of staging a page is about the cost of one version.
"""

from dataclasses import dataclass, field
from typing import Any

from etl.records import identity
from etl.source import Page


@dataclass
class VersionBatch:
    """The versions gathered so far, and the state of the models that they belong to."""

    records: list[Any] = field(default_factory=list)
    again: set[int] = field(default_factory=set)
    ids: set[str | None] = field(default_factory=set)
    owners: dict[int, set[str]] = field(default_factory=dict)
    """The models whose lists had a record, by `id()` of the record."""
    ended: dict[str, bool] = field(default_factory=dict)
    """Models whose list was read to its end, and whether it is proven complete."""
    of_rejected: set[str] = field(default_factory=set)
    """Models with a rejected version."""

    def has_room_for(self, page: Page, most: int) -> bool:
        """Whether the page fits into the batch.

        A page does not fit if the batch already has one of its ids: the batch must be staged first.
        """
        return len(self.records) + len(page.new_records) <= most and self.ids.isdisjoint(_ids(page))

    def add(self, page: Page, model_id: str) -> None:
        """Add a page of a model's versions."""
        self.again |= {len(self.records) + place for place in page.again}
        self.records += page.new_records
        self.ids |= _ids(page)
        for record in page.new_records:
            self.owners.setdefault(id(record), set()).add(model_id)

    def clear(self) -> None:
        """Empty the batch after it is staged, except for `of_rejected`."""
        for gathered in (self.records, self.again, self.ids, self.owners, self.ended):
            gathered.clear()


def _ids(page: Page) -> set[str | None]:
    return {identity(each.get("id")) for each in page.new_records if isinstance(each, dict)} - {None}
