"""Pure: where the pages of a sweep join, and which page closes a gap between two of them."""

from collections import deque
from typing import Literal

from etl.source.completeness.page import Page
from etl.source.completeness.sort_order import Keys, Ordering


class GapRepair:
    """The seams between the pages of one sweep, and the pages that repair them."""

    def __init__(self) -> None:
        self._ordering = Ordering()
        self._calm = True  # the list did not change at any seam so far
        self._mended = True  # every seam so far is calm or bridged
        self._gap: int | None = None  # offset of a page that may bridge the last seam
        self._sides: tuple[Keys, Keys | None] = ({}, None)  # the pages before and after the bridge, None for the end
        self._ends: list[Literal["front", "rear"]] = ["front", "rear"]  # ends of the list still to re-read
        self._total: int | None = None
        self._first: Keys | None = None
        self._last: Keys = {}
        self._at_front: set[int] = set()  # the ids of the first page
        self._at_rear: deque[list[int]] = deque(maxlen=2)  # the ids of the last two pages
        self._reach = 0  # how many records a bridge covers on either side

    @property
    def closed(self) -> bool:
        """Whether no row that was present throughout was missed, in a list that changed."""
        return self._may_close and not self._ends

    @property
    def _may_close(self) -> bool:
        # If no seam shows a change, a wrong total may hide one. Only a second sweep can show that.
        return self._mended and not self._calm and self._ordering.certain

    def wanted(self, *, ended: bool) -> int | None:
        """Offset of the page to `repair` with next, or None."""
        if self._gap is not None or not (ended and self._ends and self._may_close):
            return self._gap
        return 0 if self._ends[0] == "front" else max(0, (self._total or 0) - self._reach)

    def add(self, page: Page, ids: list[int], *, joins: bool) -> None:
        """Check the seam between the last page and this one; `joins`: the anchor is its first record."""
        keys = self._ordering.narrow_orders(page.records)
        if self._first is None:
            self._first, self._at_front = keys, set(ids)
        elif not (joins and page.total == self._total):
            self._calm = False
            shared = joins and self._ordering.shares_boundary_record(self._last, keys)
            if not shared and not self._ordering.overlap(self._last, keys):
                self._open(page, keys)
        self._last, self._total = keys, page.total
        self._at_rear.append(ids)
        self._reach = max(self._reach, len(ids) // 2)

    def break_off(self, page: Page) -> None:
        """Record that the list now ends before the last page did: only a bridge can show where."""
        self._calm = False
        self._open(page, None)

    def repair(self, page: Page, ids: list[int]) -> None:
        """Add the page that `wanted` named."""
        keys = self._ordering.narrow_orders(page.records)
        # A page may be full, and its length all that the server reports as `total`.
        full = page.full or len(ids) // 2 >= self._reach
        at_start, at_end = page.offset == 0, page.offset + len(ids) == page.total and not full
        if self._gap is not None:
            before, after = self._sides
            begins = at_start or self._ordering.overlap(before, keys)
            self._mended = begins and (at_end or (after is not None and self._ordering.overlap(keys, after)))
            self._gap = None
        elif self._ends.pop(0) == "front":
            reaches = self._first is not None and self._ordering.overlap(keys, self._first)
            self._mended = at_end or (reaches and _mostly(ids, self._at_front))
            self._total = page.total
            if at_end:  # the front page is the whole list
                self._ends.clear()
        else:
            reaches = self._ordering.overlap(self._last, keys) and _mostly(ids, set().union(*self._at_rear))
            self._mended = at_end and (at_start or reaches)

    def _open(self, page: Page, after: Keys | None) -> None:
        """Request a bridge before this page, if the order is certain enough to justify a request."""
        self._mended = self._mended and self._ordering.certain
        if self._mended:
            self._gap = max(0, page.offset - self._reach)
            self._sides = (self._last, after)


def _mostly(ids: list[int], familiar: set[int]) -> bool:
    return 2 * sum(each in familiar for each in ids) >= len(ids)
