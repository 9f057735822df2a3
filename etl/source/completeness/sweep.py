"""Pure: which page to ask for next, and whether what came proves a complete sweep.

Pages overlap by one record: the last of a page, the anchor, must come first in the next. If rows before an
anchor came or went between two reads, the anchor moved; if as many came as went, `total` moved. So a sweep
whose anchors all join, and whose `total` stands still and is met by distinct ids, passed over no row that was
there throughout: be the list ordered by creation, name or recency, and whichever worker read its page first.

A list that moves is mended where it moved, if its pages show by what it is sorted (see `order`). Where a page
and the next did not join calmly, it is enough that the next begins before the page's end, by the sort key: no row
that kept its key slipped through. If it begins behind, one page more is read across the gap, the bridge. Rows whose
key changed meanwhile, in a list by recency, stand at one of its ends then: both are read once more, as far as what
was read there before. That also shows a list which is sorted by something that no record tells, unless more than a
quarter of a page of it moves in one sweep.

Where `total` is missing or wrong, or the order unsteady, two sweeps in a row with equal ids prove the same,
as long as each is sound by itself: all anchors joined, or a `total` that stood still was met. Equal ids alone
would not do: a row that moves away from the reader in the same way twice is missed twice.
"""

from dataclasses import replace
from typing import Any, Literal

from etl.source.completeness.gap_repair import GapRepair
from etl.source.completeness.id_set import IdSet, key_of
from etl.source.completeness.page import Page

MAX_EMPTY_PAGES = 3
"""Empty pages in a row that are passed over while `total` promises more."""

MAX_REPETITION = 8
"""How often ids may come on average before a list is taken to go round in circles."""

MAX_SHORT_PAGES = 100
"""Pages in a row, each less than half as long as the longest, until a list is taken to grow as fast as it is read."""

MAX_REPEATED = 2
"""Times in a row that a page of one record comes again, until the server is taken to ignore the offset."""

_FIRST_CHECK = 64

Anchor = tuple[int, Any]


class Sweep:
    """One reading of a listing from its start: give it the pages at `offset`, until it has `ended`.

    Whenever `wanted` names an offset, `mend` the sweep with the page from there before going on.
    """

    def __init__(self) -> None:
        """Begin at the first record."""
        self.ids = IdSet()
        self.offset = 0
        self.ended = False
        self.total: int | None = None  # of the first page
        self.repeats = False  # the same page came for another offset
        self._joined = True  # every page began with the anchor
        self._steady = True  # every page named the same total
        self._whole = True  # no hole, no circle
        self._anchor: Anchor | None = None  # None: the next page is asked for without overlap
        self._last: Page | None = None  # the last page that brought records
        self._last_keys: list[int] = []
        self._longest = 0
        self._fresh = 0
        self._empty = 0
        self._repeated = 0  # times in a row that the same page came
        self._short = 0
        self._next_check = _FIRST_CHECK
        self._seams = GapRepair()

    @property
    def met(self) -> bool:
        """Whether a total that stood still equals the number of distinct ids."""
        return self._steady and self.total == len(self.ids)

    @property
    def anchored(self) -> bool:
        """Whether the sweep, once ended, proves by itself that it is complete."""
        calm = self._joined and self.met and self._fresh == len(self.ids)
        return self._whole and (calm or self._seams.closed)

    @property
    def sound(self) -> bool:
        """Whether the sweep, once ended, proves completeness together with another one of equal ids."""
        return self._whole and (self._joined or self.met)

    @property
    def wanted(self) -> int | None:
        """Offset of a page that would mend the sweep: a bridge over a gap, in the end both ends once more."""
        return self._seams.wanted(ended=self.ended) if self._whole else None

    def take(self, page: Page) -> Page:
        """Count in the page at `offset` and move on. Gives the page back, its overlap marked."""
        if not page.records:
            self._pass_over(page)
            return page
        keys = [key_of(record) for record in page.records]
        page = self._join(page, keys)
        again = [place for place, key in enumerate(keys[page.overlap :]) if not self.ids.add(key)]
        page = replace(page, again=frozenset(again)) if again else page
        self._fresh += len(page.fresh)
        self.repeats = self._is_repeated(page, keys)
        if self.repeats or self._goes_in_circles() or self._runs_away(len(keys)):
            self._whole, self.ended = False, True
        self._advance(page, keys[-1])
        self._last, self._last_keys = page, keys
        self._longest = max(self._longest, len(keys))
        return page

    def mend(self, page: Page) -> Page:
        """Count in the page at `wanted`. Gives it back: most of it came before."""
        keys = [key_of(record) for record in page.records]
        for key in keys:
            self.ids.add(key)
        self._seams.mend(page, keys)
        return page

    def upcoming(self, count: int) -> list[int]:
        """Offsets of the next pages, as far as can be foretold and `count` at most; first of all `offset`."""
        if self.ended:
            return []
        last = self._last
        if last is None or self._empty or (last.total is None and not last.full):
            return [self.offset]
        if self._longest == 1 < last.asked:  # perhaps the server ignores the offset: see first
            return [self.offset]
        # Pages may have grown smaller on our side, hence the limit asked for last.
        step = max(min(self._longest, last.asked) - 1, 1)
        end = self.offset + count * step
        if last.total is not None:
            end = min(end, last.total - (self._anchor is not None))
        return [self.offset, *range(self.offset + step, end, step)]

    def _join(self, page: Page, keys: list[int]) -> Page:
        """Compare the page's first record with the anchor, and its total with the one before."""
        if self._last is None:
            self.total = page.total
        self._steady = self._steady and page.total == self.total
        if self._empty:
            self._whole, self._empty = False, 0
        joins = self._anchor is not None and self._anchor == (keys[0], _touched(page.records[0]))
        self._seams.add(page, keys, joins=joins)
        if joins:
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
        if end == page.total and not full and (self.anchored or not (self._steady and self._joined)):
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
        """Whether the last page came again, though `total` stood still; one record may repeat once by chance."""
        stands_still = self._last is not None and page.total == self._last.total
        self._repeated = self._repeated + 1 if keys == self._last_keys and stands_still else 0
        return self._repeated >= (1 if len(keys) > 1 else MAX_REPEATED)

    def _goes_in_circles(self) -> bool:
        """Whether the list cannot be trusted to end: ids come over and over."""
        if self._fresh < self._next_check:
            return False
        self._next_check = self._fresh * 2
        return len(self.ids) * MAX_REPETITION < self._fresh

    def _runs_away(self, length: int) -> bool:
        """Whether the list seems to grow as fast as it is read."""
        self._short = self._short + 1 if length * 2 < self._longest else 0
        return self._short > MAX_SHORT_PAGES


def proof(previous: Sweep | None, current: Sweep) -> Literal["anchored", "confirmed"] | None:
    """How the last sweep, alone or together with the one before it, proves that nothing was passed over."""
    if current.anchored:
        return "anchored"
    if previous and previous.sound and current.sound and previous.ids == current.ids:
        return "confirmed"
    return None


def _touched(record: Any) -> Any:
    return record.get("updated_at") if isinstance(record, dict) else None
