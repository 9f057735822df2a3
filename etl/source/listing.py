"""Read lists: pages in order, fetched ahead in parallel, in several sweeps if needed."""

import logging
import sys
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Literal, Self

from etl.setting_names import name_of
from etl.source.client import Client
from etl.source.completeness.page import Page
from etl.source.completeness.sweep import Sweep, proof
from etl.source.exceptions import LimitRefused, TooLarge
from etl.source.fetch_pool import FetchPool, Task

_log = logging.getLogger(__name__)

_PAGES_BEFORE_GROWTH = 16
"""Pages of a size that was lowered for a large record, until the size is doubled."""

_FEWEST_AHEAD = 2
"""Minimum number of pages to fetch ahead: the next page, and one in reserve."""


@dataclass(frozen=True)
class Listing:
    """An endpoint (`ml-repos`, `models`, `model-versions`), with filters as query parameters.

    If the first page of an `optional` list is not JSON, the list is not offered. For any other list, such a page is
    retried.
    """

    endpoint: str
    filters: tuple[tuple[str, str], ...] = ()
    optional: bool = False

    def __str__(self) -> str:
        """The list's name in messages."""
        only = ", ".join(f"{name} {value}" for name, value in self.filters)
        return f"{self.endpoint} of {only}" if only else self.endpoint


@dataclass
class RecordBudget:
    """The number of records that the lists of one endpoint may still have: an endless list must end."""

    records: int = sys.maxsize


class ListingRead:
    """One read of a list: iterate over its pages, then check `proof`."""

    def __init__(
        self,
        listing: Listing,
        fetch: Callable[[int], Task[Page]],
        ahead: int,
        max_sweeps: int,
        allowance: RecordBudget | None = None,
    ) -> None:
        """Request the first page; `fetch` takes an offset, and up to `ahead` pages are under way.

        Fewer are under way while pages arrive faster than they are used, because each waiting page holds its records in
        memory.
        """
        self.listing = listing
        self.proof: Literal["anchored", "confirmed"] | None = None
        self.sweeps = 0
        self.total: int | None = None
        self.repeats = False
        """Whether the server returns the same page for every offset, as it would in another sweep."""
        self.endless: Literal["total", "max_records"] | None = None
        """Which limit on its length the list exceeded: it may have no end, so that no other sweep is made."""
        self._fetch = fetch
        self._most_ahead = ahead
        self._ahead = min(_FEWEST_AHEAD, ahead)
        self._max_sweeps = max_sweeps
        self._allowance = allowance or RecordBudget()
        self._pages = {0: fetch(0)}

    def __iter__(self) -> Iterator[Page]:
        """Yield the pages of each sweep, until there is a proof or no sweep left. Iterate once."""
        previous: Sweep | None = None
        most = self._allowance.records
        while self.proof is None and self.sweeps < self._max_sweeps and not (self.repeats or self.endless):
            sweep = Sweep(most)
            yield from self._sweep(sweep)
            self.sweeps += 1
            self.total = sweep.total
            self.endless = sweep.endless
            # Once may be a passing fault; a second sweep decides, if there is to be one.
            self.repeats = sweep.repeats and (self._max_sweeps == 1 or (previous is not None and previous.repeats))
            if sweep.repeats:
                self._most_ahead = self._ahead = 1
            self.proof = proof(previous, sweep)
            previous = sweep
            self._allowance.records = max(0, most - len(sweep.ids))

    @property
    def why_unproven(self) -> str:
        """Why no sweep proved that the list was read completely, as the end of a sentence about the list."""
        if self.repeats:
            return "is the same page at every offset: the server ignores `offset`, or serves a sample."
        if self.endless == "total":
            return f"does not end at twice its `total` of {self.total}: reading stopped there."
        if self.endless == "max_records":
            limit = name_of("max_records")
            return f"has more records than {limit}: if there are that many {self.listing.endpoint}, raise the limit."
        sweeps = "1 sweep" if self.sweeps == 1 else f"{self.sweeps} sweeps"
        return (
            f"could not be proven complete in {sweeps}: it changes during the read, or the responses are inconsistent."
        )

    def cancel_pending(self) -> None:
        """Cancel all fetches that have not begun."""
        for page in self._pages.values():
            page.cancel()
        self._pages.clear()

    def _sweep(self, sweep: Sweep) -> Iterator[Page]:
        try:
            self._look_ahead(sweep)
            while not sweep.ended:
                next_page = self._pages.pop(sweep.offset)
                self._ahead = self._as_many_as_it_takes(is_early=next_page.ready)
                page = sweep.take(next_page.result())
                self._look_ahead(sweep)
                yield page
                while sweep.wanted is not None:
                    yield sweep.repair(self._fetch(sweep.wanted).result())
        finally:
            self.cancel_pending()

    def _as_many_as_it_takes(self, *, is_early: bool) -> int:
        """The number of pages to fetch ahead, after a page that was ready early or not."""
        if is_early:
            return max(self._ahead - 1, min(_FEWEST_AHEAD, self._most_ahead))
        return min(2 * self._ahead, self._most_ahead)

    def _look_ahead(self, sweep: Sweep) -> None:
        """Request the predicted next pages, and cancel those that are no longer predicted."""
        offsets = sweep.upcoming(self._ahead)
        for offset in self._pages.keys() - set(offsets):
            self._pages.pop(offset).cancel()
        for offset in offsets:
            if offset not in self._pages:
                self._pages[offset] = self._fetch(offset)


class ListingReader:
    """Reads lists with several requests at the same time."""

    def __init__(
        self, client: Client, page_size: int, concurrency: int, max_sweeps: int, max_records: int = sys.maxsize
    ) -> None:
        """Start the fetch threads."""
        self.page_size = page_size
        self._largest = page_size
        """The largest size that the server has not rejected."""
        self._passed = 0
        """The number of pages since the size was changed."""
        self._client = client
        self._concurrency = concurrency
        self._max_sweeps = max_sweeps
        self._new_budget = partial(RecordBudget, max_records)
        self._budgets = defaultdict[str, RecordBudget](self._new_budget)
        self.ignores_offset = False
        """Whether a list of this server repeated its pages: then no other is worth a second sweep."""
        self._pool = FetchPool(concurrency)
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the threads, each after its current request."""
        self._pool.close()

    def read(self, listing: Listing, *, again: bool = False) -> ListingRead:
        """Start to read a list: request its first page.

        `again`: the run has read the list before, so its records count anew towards `max_records`.
        """
        ahead, sweeps = (1, 1) if self.ignores_offset else (self._concurrency, self._max_sweeps)
        budget = self._new_budget() if again else self._budgets[listing.endpoint]
        return ListingRead(listing, partial(self._submit, listing), ahead, sweeps, budget)

    def read_many(self, listings: Iterable[Listing]) -> Iterator[ListingRead]:
        """Yield a read of each list, in order, with the first pages of the next few requested.

        Lists are taken from the iterable as needed. Exhaust each read before you take the next.
        """
        waiting: deque[ListingRead] = deque()
        try:
            for listing in listings:
                waiting.append(self.read(listing))
                # A record that fills a page alone may be as large as memory allows: then fetch no other ahead.
                if len(waiting) > (self._concurrency if self.page_size > 1 else 0):
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for reading in waiting:
                reading.cancel_pending()

    def _submit(self, listing: Listing, offset: int) -> Task[Page]:
        return self._pool.submit(partial(self._fetch, listing, offset))

    def _fetch(self, listing: Listing, offset: int) -> Page:
        """Fetch one page.

        If the server rejects its size, lower the size for the whole run. If a record makes it too large, lower the size
        until some pages have passed.
        """
        before = self.page_size, self._largest
        while True:
            size = self.page_size
            try:
                patient = offset > 0 or not listing.optional
                page = self._client.list_page(listing.endpoint, listing.filters, offset, size, patient=patient)
            except LimitRefused as refusal:
                if size == 1:
                    self._resize(*before)  # it was not the size that the server rejected
                    raise
                smaller = max((number for number in refusal.named if 0 < number < size), default=size // 2)
                if smaller < self.page_size:
                    self._resize(smaller, smaller)
                    _log.warning("pages of %d instead of %d records: the server accepts no more", smaller, size)
            except TooLarge:
                if size == 1:
                    raise
                if size // 2 < self.page_size:
                    self._resize(size // 2, self._largest)
                    _log.info("pages of %d instead of %d records, around a large record", size // 2, size)
            else:
                self._grow_after(size)
                return page

    def _resize(self, size: int, largest: int) -> None:
        with self._lock:
            self.page_size, self._largest, self._passed = size, largest, 0

    def _grow_after(self, size: int) -> None:
        """Double the page size if it was lowered for a large record, and enough pages have passed since."""
        with self._lock:
            self._passed += size == self.page_size
            if self.page_size < self._largest and self._passed == _PAGES_BEFORE_GROWTH:
                self.page_size, self._passed = min(2 * self.page_size, self._largest), 0
