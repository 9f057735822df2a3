"""Pure: which page to ask for next, and whether what came proves a complete sweep.

Pages overlap by one record: the last of a page, the anchor, must come first in the next. If rows before an
anchor came or went between two reads, the anchor moved; if as many came as went, `total` moved. So a sweep
whose anchors all join, and whose `total` stands still and is met by distinct ids, passed over no row that was
there throughout: be the list ordered by creation, name or recency, and whichever worker read its page first.

Where `total` is missing or wrong, or the order unsteady, two sweeps in a row with equal ids prove the same,
as long as each is sound by itself: all anchors joined, or a `total` that stood still was met. Equal ids alone
would not do: a row that moves away from the reader in the same way twice is missed twice.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from etl.source.ids import IdSet, key_of

MAX_EMPTY_PAGES = 3
"""Empty pages in a row that are passed over while `total` promises more."""

MAX_REPETITION = 8
"""How often ids may come on average before a list is taken to go round in circles."""

_FIRST_CHECK = 64

Anchor = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page as received; `asked` is the limit asked for, `limit` the one the server says it used."""

    offset: int
    asked: int
    records: list[Any]
    total: int | None = None
    limit: int | None = None
    overlap: int = 0

    @property
    def fresh(self) -> list[Any]:
        """The records that the page before did not bring already."""
        return self.records[self.overlap :]

    @property
    def full(self) -> bool:
        """Whether the page holds all it may, so that its end says nothing about the list's."""
        return len(self.records) >= min(self.asked, self.limit or self.asked)


class Sweep:
    """One reading of a listing from its start: give it the pages at `offset`, until it has `ended`."""

    def __init__(self) -> None:
        """Begin at the first record."""
        self.ids = IdSet()
        self.offset = 0
        self.ended = False
        self.total: int | None = None
        self._joined = True  # every page began with the anchor
        self._steady = True  # every page named the same total
        self._whole = True  # no hole, no circle
        self._anchor: Anchor | None = None  # None: the next page is asked for without overlap
        self._last: Page | None = None  # the last page that brought records
        self._last_keys: list[int] = []
        self._longest = 0
        self._fresh = 0
        self._empty = 0
        self._next_check = _FIRST_CHECK

    @property
    def met(self) -> bool:
        """Whether a total that stood still equals the number of distinct ids."""
        return self._steady and self.total == len(self.ids)

    @property
    def anchored(self) -> bool:
        """Whether the sweep, once ended, proves by itself that it is complete."""
        return self._whole and self._joined and self.met and self._fresh == len(self.ids)

    @property
    def sound(self) -> bool:
        """Whether the sweep, once ended, proves completeness together with another one of equal ids."""
        return self._whole and (self._joined or self.met)

    def take(self, page: Page) -> Page:
        """Count in the page at `offset` and move on. Gives the page back, its overlap marked."""
        if not page.records:
            self._pass_over(page)
            return page
        keys = [key_of(record) for record in page.records]
        page = self._join(page, keys[0])
        for key in keys[page.overlap :]:
            self.ids.add(key)
        self._fresh += len(page.fresh)
        if self._goes_in_circles(keys):
            self._whole, self.ended = False, True
        self._advance(page, keys[-1])
        self._last, self._last_keys = page, keys
        self._longest = max(self._longest, len(keys))
        return page

    def upcoming(self, count: int) -> list[int]:
        """Offsets of the next pages, as far as can be foretold and `count` at most; first of all `offset`."""
        if self.ended:
            return []
        last = self._last
        if last is None or self._empty or (last.total is None and not last.full):
            return [self.offset]
        # Pages may have grown smaller on our side, hence the limit asked for last.
        step = max(min(self._longest, last.asked) - 1, 1)
        end = self.offset + count * step
        if last.total is not None:
            end = min(end, last.total - (self._anchor is not None))
        return [self.offset, *range(self.offset + step, end, step)]

    def _join(self, page: Page, first_key: int) -> Page:
        """Compare the page's first record with the anchor, and its total with the one before."""
        if self._last is None:
            self.total = page.total
        self._steady = self._steady and page.total == self.total
        if self._empty:
            self._whole, self._empty = False, 0
        if self._anchor is not None and self._anchor == (first_key, _touched(page.records[0])):
            return replace(page, overlap=1)
        # Without an overlap nothing says that no row slipped through between the two reads.
        self._joined = self._joined and self._last is None
        return page

    def _advance(self, page: Page, last_key: int) -> None:
        """Decide the next offset: by what came, never by what was asked."""
        end = page.offset + len(page.records)
        # A full page that meets the total is no end yet: some servers count only the page as `total`. One as long
        # as any before may be full too, by a silent cap.
        full = page.full or 0 < self._longest <= len(page.records)
        # A list whose total moves is being worked on: who runs after its end may never get there.
        if end == page.total and not full and (self.anchored or not self._steady):
            self.ended = True
        elif len(page.records) == 1:
            # The anchor alone, or pages of one record: a further overlap would stand still.
            self.offset, self._anchor = end, None
        else:
            # The time of the last change belongs to the anchor: in a list by recency a touched anchor jumps
            # to the front, and further touches can push it back to where it was, hiding a row.
            self.offset, self._anchor = end - 1, (last_key, _touched(page.records[-1]))

    def _pass_over(self, page: Page) -> None:
        """Take an empty page for the end, unless `total` promises records behind it."""
        if self._anchor is not None:
            self._joined, self._anchor = False, None
        if self._last is None and not self._empty:
            self.total = page.total
        promised = page.total or 0 if self._last is None else max(page.total or 0, self._last.total or 0)
        length = self._longest or page.asked
        if page.offset + length >= promised or self._empty == MAX_EMPTY_PAGES:
            self.ended = True
        self._empty += 1
        self.offset = page.offset + length

    def _goes_in_circles(self, keys: list[int]) -> bool:
        """Whether the list cannot be trusted to end: the same page again, or ids over and over."""
        if len(keys) > 1 and keys == self._last_keys:
            return True
        if self._fresh < self._next_check:
            return False
        self._next_check = self._fresh * 2
        return len(self.ids) * MAX_REPETITION < self._fresh


def proof(previous: Sweep | None, current: Sweep) -> Literal["anchored", "confirmed"] | None:
    """How the last sweep, alone or together with the one before it, proves that nothing was passed over."""
    if current.anchored:
        return "anchored"
    if previous and previous.sound and current.sound and previous.ids == current.ids:
        return "confirmed"
    return None


def _touched(record: Any) -> Any:
    return record.get("updated_at") if isinstance(record, dict) else None
