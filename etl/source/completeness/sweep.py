"""Pure: choose the next page to request, and judge whether the pages prove a complete sweep.

Pages overlap by one record: the last record of a page, the anchor, must be the first of the next. If rows enter or
leave before the anchor between two reads, the anchor moves, unless both counts are equal. Then, if a row crossed from
behind the anchor, `total` changes or a row is read twice.

So a sweep missed no row that was present throughout if three conditions hold. All its anchors join, `total` does not
change, and the number of distinct ids equals `total`. This holds for a list ordered by creation, name or recency, and
whichever worker read its page first.

One case is missed, in a list by name: between two requests, a row is renamed to the front, one there is deleted, and
one is added behind.

A list that changes is repaired where it changed, if its pages show its sort order (see `sort_order`). A seam is calm if
the anchor joins and `total` is unchanged. At any other seam it is enough that, by the sort key, a page begins before
the end of the previous page. Then no row that kept its key was missed. If the page begins behind that end, one more
page, the bridge, is read across the gap.

In a list by recency, rows whose key changed during the sweep are then at one of the list's ends. So both ends are read
again, back to the rows that were read there before. This also exposes a list sorted by a hidden value, unless more
than a quarter page moves during one sweep.

If `total` is missing or wrong, or the order is unsteady, two sweeps in a row with equal ids are a proof, too. Each must
be sound by itself: all anchors joined, or an unchanged `total` was met. Equal ids alone are not enough: a row that
moves away from the reader in the same way twice is missed twice.
"""

import sys
from dataclasses import replace
from typing import Any, Literal

from etl.source.completeness.gap_repair import GapRepair
from etl.source.completeness.id_set import IdSet, key_of
from etl.source.completeness.page import Page

MAX_EMPTY_PAGES = 3
"""Empty pages in a row to skip while `total` promises more records."""

MAX_MEAN_REPEATS = 8
"""Average appearances of each id above which the list counts as circular."""

MAX_SHORT_PAGES = 100
"""Pages in a row under half the longest length before the list counts as growing."""

MAX_EXCESS = 2
"""Multiple of `total` above which the list counts as endless."""

MIN_ENDLESS = 100_000
"""Records below which no `total` makes a list endless: some servers name 0, or the length of a page."""

MAX_PAGE_REPEATS = 2
"""Repeats of a one-record page after which the server counts as ignoring the offset."""

_FIRST_CHECK = 64

Anchor = tuple[int, Any]


class Sweep:
    """One pass over a list from its start: `take` the page at `offset` until it has `ended`.

    Whenever `wanted` names an offset, `repair` the sweep with the page from there before you continue.
    """

    def __init__(self, max_records: int = sys.maxsize) -> None:
        """`max_records` is the length above which the list counts as endless, whatever its `total`."""
        self.ids = IdSet()
        self.offset = 0
        self.ended = False
        self.total: int | None = None  # as named by the first page
        self.repeats = False  # another offset returned the same page
        self.endless: Literal["total", "max_records"] | None = None  # which limit the list exceeded
        self._max_records = max_records
        self._joined = True  # every page began with the anchor
        self._steady = True  # every page named the same total
        self._whole = True  # no empty page within, no repetition, no endless growth
        self._anchor: Anchor | None = None  # None: request the next page without overlap
        self._last: Page | None = None  # the last page with records
        self._last_keys: list[int] = []
        self._longest = 0
        self._received = 0
        self._empty = 0
        self._repeated = 0  # times in a row that the same page was returned
        self._short = 0
        self._next_check = _FIRST_CHECK
        self._seams = GapRepair()

    @property
    def matches_total(self) -> bool:
        """Whether `total` did not change and equals the number of distinct ids."""
        return self._steady and self.total == len(self.ids)

    @property
    def anchored(self) -> bool:
        """Whether the sweep, once ended, proves by itself that it is complete."""
        calm = self._joined and self.matches_total and self._received == len(self.ids)
        return self._whole and (calm or self._seams.closed)

    @property
    def proves_in_pair(self) -> bool:
        """Whether the sweep, once ended, proves completeness together with another of equal ids."""
        return self._whole and (self._joined or self.matches_total)

    @property
    def wanted(self) -> int | None:
        """Offset of the page to repair with: a bridge over a gap, or at the end, the front and rear of the list."""
        return self._seams.wanted(ended=self.ended) if self._whole else None

    def take(self, page: Page) -> Page:
        """Add the page at `offset` and advance; return the page with its overlap marked."""
        if not page.records:
            self._pass_over(page)
            return page
        keys = [key_of(record) for record in page.records]
        page = self._join(page, keys)
        again = [place for place, key in enumerate(keys[page.overlap :]) if not self.ids.add(key)]
        page = replace(page, again=frozenset(again)) if again else page
        self._received += len(page.new_records)
        self.repeats = self._is_repeated(page, keys)
        self.endless = self._exceeds(page)
        if self.repeats or self.endless or self._goes_in_circles() or self._runs_away(page):
            self._whole, self.ended = False, True
        self._advance(page, keys[-1])
        self._last, self._last_keys = page, keys
        self._longest = max(self._longest, len(keys))
        return page

    def repair(self, page: Page) -> Page:
        """Add the page at `wanted` and return it; most of its records are known already."""
        keys = [key_of(record) for record in page.records]
        for key in keys:
            self.ids.add(key)
        self._seams.repair(page, keys)
        return page

    def upcoming(self, count: int) -> list[int]:
        """Offsets of the next pages, as far as predictable: at most `count`, the first is `offset`."""
        if self.ended:
            return []
        last = self._last
        if last is None or self._empty or (last.total is None and not last.full):
            return [self.offset]
        if last.asked == 1:  # such a record may be as large as memory allows
            return [self.offset]
        if self._longest == 1 < last.asked:  # the server may ignore the offset: wait for a page
            return [self.offset]
        # We may have lowered the page size, so use the limit of the last request.
        step = max(min(self._longest, last.asked) - 1, 1)
        end = self.offset + count * step
        if last.total is not None:
            end = min(end, last.total - (self._anchor is not None))
        return [self.offset, *range(self.offset + step, end, step)]

    def _join(self, page: Page, keys: list[int]) -> Page:
        """Compare the first record with the anchor, and `total` with that of the first page."""
        if self._last is None:
            self.total = page.total
        self._steady = self._steady and page.total == self.total
        if self._empty:
            self._whole, self._empty = False, 0
        joins = self._anchor is not None and self._anchor == (keys[0], _touched(page.records[0]))
        self._seams.add(page, keys, joins=joins)
        if joins:
            return replace(page, overlap=1)
        # Without an overlap, a row may have been missed between the two reads.
        self._joined = self._joined and self._last is None
        return page

    def _advance(self, page: Page, last_key: int) -> None:
        """Choose the next offset from the records received, not from the limit requested."""
        end = page.offset + len(page.records)
        # A full page that reaches `total` may not be the end: some servers report only the page's length as `total`. A
        # page as long as any before may be full, too, by an undocumented limit.
        full = page.full or 0 < self._longest <= len(page.records)
        # A list whose `total` changes is in use: reading on past its end may never finish.
        if end == page.total and not full and (self.anchored or not (self._steady and self._joined)):
            self.ended = True
        elif len(page.records) == 1:
            # The page is the anchor alone, or pages hold one record: with another overlap the offset would not advance.
            self.offset, self._anchor = end, None
        else:
            # The anchor includes its last change. In a list by recency, a touched anchor jumps to the front. Further
            # touches can push it back to its old place, which would hide a missed row.
            self.offset, self._anchor = end - 1, (last_key, _touched(page.records[-1]))

    def _pass_over(self, page: Page) -> None:
        """Treat an empty page as the end, unless `total` promises records after it."""
        if self._anchor is not None:
            self._joined, self._anchor = False, None
            self._seams.break_off(page)
        if self._last is None and not self._empty:
            self.total = page.total
        promised = page.total or 0 if self._last is None else max(page.total or 0, self._last.total or 0)
        length = self._longest or page.asked
        if page.offset + length >= promised or self._empty == MAX_EMPTY_PAGES:
            self.ended = True
        self._empty += 1
        self.offset = page.offset + length

    def _is_repeated(self, page: Page, keys: list[int]) -> bool:
        """Whether the last page repeats with the same `total`; one record may repeat by chance."""
        stands_still = self._last is not None and page.total == self._last.total
        self._repeated = self._repeated + 1 if keys == self._last_keys and stands_still else 0
        return self._repeated >= (1 if len(keys) > 1 else MAX_PAGE_REPEATS)

    def _goes_in_circles(self) -> bool:
        """Whether ids repeat so often that the list may never end."""
        if self._received < self._next_check:
            return False
        self._next_check = self._received * 2
        return len(self.ids) * MAX_MEAN_REPEATS < self._received

    def _exceeds(self, page: Page) -> Literal["total", "max_records"] | None:
        """The limit on the list's length that it exceeds, if any."""
        if self._received > self._max_records:
            return "max_records"
        if page.total is None or self._received <= max(MAX_EXCESS * page.total, MIN_ENDLESS) + page.asked:
            return None
        return "total"

    def _runs_away(self, page: Page) -> bool:
        """Whether the list seems to grow as fast as it is read: its pages are short, and none is the last."""
        usual = min(self._longest, page.asked)
        self._short = self._short + 1 if len(page.records) * 2 < usual else 0
        return self._short > MAX_SHORT_PAGES


def proof(previous: Sweep | None, current: Sweep) -> Literal["anchored", "confirmed"] | None:
    """How the last sweep, alone or with the one before, proves that no record was missed."""
    if current.anchored:
        return "anchored"
    if previous and previous.proves_in_pair and current.proves_in_pair and previous.ids == current.ids:
        return "confirmed"
    return None


def _touched(record: Any) -> Any:
    return record.get("updated_at") if isinstance(record, dict) else None
