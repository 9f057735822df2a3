"""A control plane's list in memory: paged by offset, changed between reads, with a true or wrong total."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal

from etl.source.completeness.page import Page
from etl.source.completeness.sweep import Sweep

Order = Literal[
    "oldest first", "newest first", "by name", "last touched first", "first touched first",
    "last used first", "first used first", "unsteady",
]  # fmt: skip
ORDERS: tuple[Order, ...] = (
    "oldest first", "newest first", "by name", "last touched first", "first touched first",
)  # fmt: skip
REPAIRABLE = tuple(order for order in ORDERS if order != "by name")
"""Orders in which a record moves only if its time of last change moves."""

HIDDEN_ORDERS: tuple[Order, ...] = ("last used first", "first used first", "unsteady")
"""Orders by a value that is not in the records; until rows change, they look like orders by age."""


@dataclass
class Row:
    """A record: when it was created and touched, and the name it is sorted by."""

    made: int
    name: int
    touched: int

    def record(self) -> dict[str, Any]:
        return {
            "id": f"row-{self.made}",
            "name": f"{self.name:03}",
            "created_at": moment(self.made),
            "updated_at": moment(self.touched),
        }


def moment(tick: int) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=tick)).isoformat()


SORT: dict[str, Callable[[Row], tuple[int, ...]]] = {
    "oldest first": lambda row: (row.made,),
    "newest first": lambda row: (-row.made,),
    "by name": lambda row: (row.name, row.made),
    "last touched first": lambda row: (-row.touched,),
    "first touched first": lambda row: (row.touched,),
    "last used first": lambda row: (-row.touched,),
    "first used first": lambda row: (row.touched,),
}


@dataclass
class MovingList:
    """Rows in one order; `total` maps the true total to the one that the server names."""

    order: Order = "oldest first"
    total: Callable[[int], Any] = lambda count: count
    cap: int = 1000
    rows: list[Row] = field(default_factory=list)
    deleted_ids: set[str] = field(default_factory=set)
    clock: int = 0
    shuffling: Random = field(default_factory=lambda: Random(0))  # noqa: S311 an order, not a secret

    def insert(self, name: int = 0) -> None:
        self.clock += 1
        self.rows.append(Row(self.clock, name, self.clock))

    def delete(self, position: int) -> None:
        if self.rows:
            self.deleted_ids.add(self._sorted().pop(position % len(self.rows)).record()["id"])
            self.rows = [row for row in self.rows if row.record()["id"] not in self.deleted_ids]

    def touch(self, position: int) -> None:
        if self.rows:
            self.clock += 1
            self._sorted()[position % len(self.rows)].touched = self.clock

    def rename(self, position: int) -> None:
        if self.rows:
            self._sorted()[position % len(self.rows)].name = position % 7

    def ids(self) -> set[str]:
        return {row.record()["id"] for row in self.rows}

    def page(self, offset: int, limit: int) -> Page:
        """The server's answer, with an unannounced cap on the limit."""
        rows = self._sorted()[offset : offset + min(limit, self.cap)]
        records = [row.record() for row in rows]
        if self.order in HIDDEN_ORDERS:
            records = [record | {"updated_at": None} for record in records]
        return Page(offset, limit, records, self.total(len(self.rows)))

    def _sorted(self) -> list[Row]:
        if self.order == "unsteady":
            return self.shuffling.sample(self.rows, len(self.rows))
        return sorted(self.rows, key=SORT[self.order])


class PageLengthAsTotal(MovingList):
    """A list whose server reports the length of each page as `total`."""

    def page(self, offset: int, limit: int) -> Page:
        page = super().page(offset, limit)
        return replace(page, total=len(page.records))


def still_list(count: int, kind: type[MovingList] = MovingList, **traits: Any) -> MovingList:
    """A list of `count` rows that do not change."""
    source = kind(**traits)
    for number in range(count):
        source.insert(name=number * 7 % 5)
    return source


def sweep_of(source: MovingList, limit: int, max_requests: int = 10_000) -> tuple[Sweep, list[Any], int]:
    """One sweep, its fresh records, and the number of its requests."""
    sweep, fresh, requests = Sweep(), list[Any](), 0
    while not sweep.ended:
        requests += 1
        assert requests <= max_requests, "the sweep does not end"
        fresh += sweep.take(source.page(sweep.offset, limit)).new_records
        while sweep.wanted is not None:
            requests += 1
            fresh += sweep.repair(source.page(sweep.wanted, limit)).records
    return sweep, fresh, requests
