"""Readings of listings: pages in order, fetched ahead in parallel, in several sweeps if need be."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Literal, Self

from etl.source.client import Client
from etl.source.completeness.page import Page
from etl.source.completeness.sweep import Sweep, proof
from etl.source.exceptions import LimitRefused, TooLarge
from etl.source.fetch_pool import FetchPool, Task

_log = logging.getLogger(__name__)

_FEWEST_AHEAD = 2
"""Pages under way while one is taken: one to come, and one in case."""


@dataclass(frozen=True)
class Listing:
    """What to page: an endpoint (`ml-repos`, `models`, `model-versions`) and filters, as query parameters.

    A list that is `optional` is not offered if its first page is not JSON; any other list is asked for again.
    """

    endpoint: str
    filters: tuple[tuple[str, str], ...] = ()
    optional: bool = False

    def __str__(self) -> str:
        """As it may stand in a message."""
        only = ", ".join(f"{name} {value}" for name, value in self.filters)
        return f"{self.endpoint} of {only}" if only else self.endpoint


class ListingRead:
    """One listing being read: iterate over its pages, then ask for the proof."""

    def __init__(self, listing: Listing, fetch: Callable[[int], Task[Page]], ahead: int, max_sweeps: int) -> None:
        """Have the first page fetched; `fetch` takes an offset, and `ahead` pages are under way at most.

        Where pages come as fast as they are taken, fewer are: each that waits takes the memory of all its records.
        """
        self.listing = listing
        self.proof: Literal["anchored", "confirmed"] | None = None
        self.sweeps = 0
        self.total: int | None = None
        self.repeats = False
        """Whether the server gives the same page whatever offset is asked for: another sweep would, too."""
        self._fetch = fetch
        self._most_ahead = ahead
        self._ahead = min(_FEWEST_AHEAD, ahead)
        self._max_sweeps = max_sweeps
        self._pages = {0: fetch(0)}

    def __iter__(self) -> Iterator[Page]:
        """The pages of the first sweep, and of further ones while there is no proof. To be exhausted once."""
        previous: Sweep | None = None
        while self.proof is None and self.sweeps < self._max_sweeps and not self.repeats:
            sweep = Sweep()
            yield from self._sweep(sweep)
            self.sweeps += 1
            self.total = sweep.total
            self.repeats = sweep.repeats and previous is not None and previous.repeats
            self.proof = proof(previous, sweep)
            previous = sweep

    def drop(self) -> None:
        """Fetch nothing more that is not under way."""
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
                    yield sweep.mend(self._fetch(sweep.wanted).result())
        finally:
            self.drop()

    def _as_many_as_it_takes(self, *, is_early: bool) -> int:
        """How many pages to have under way from now on, after one that was early, or that had to be waited for."""
        if is_early:
            return max(self._ahead - 1, min(_FEWEST_AHEAD, self._most_ahead))
        return min(2 * self._ahead, self._most_ahead)

    def _look_ahead(self, sweep: Sweep) -> None:
        """Have the next pages fetched, and forget those that were foretold wrongly."""
        offsets = sweep.upcoming(self._ahead)
        for offset in self._pages.keys() - set(offsets):
            self._pages.pop(offset).cancel()
        for offset in offsets:
            if offset not in self._pages:
                self._pages[offset] = self._fetch(offset)


class ListingReader:
    """Reads listings with a few requests under way at once."""

    def __init__(self, client: Client, page_size: int, concurrency: int, max_sweeps: int) -> None:
        """Start the threads that fetch."""
        self.page_size = page_size
        self._client = client
        self._concurrency = concurrency
        self._max_sweeps = max_sweeps
        self._pool = FetchPool(concurrency)
        self._lock = Lock()

    def __enter__(self) -> Self:
        """The threads run already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the threads end."""
        self.close()

    def close(self) -> None:
        """Let the threads end, each after the request at hand."""
        self._pool.close()

    def read(self, listing: Listing) -> ListingRead:
        """A reading of the listing, its first page under way."""
        return ListingRead(listing, partial(self._submit, listing), self._concurrency, self._max_sweeps)

    def read_many(self, listings: Iterable[Listing]) -> Iterator[ListingRead]:
        """Readings in the order of their listings, the first pages of the next few under way.

        The listings are pulled as they are needed. Exhaust a reading before taking the next one.
        """
        waiting: deque[ListingRead] = deque()
        try:
            for listing in listings:
                waiting.append(self.read(listing))
                if len(waiting) > self._concurrency:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for reading in waiting:
                reading.drop()

    def _submit(self, listing: Listing, offset: int) -> Task[Page]:
        return self._pool.submit(partial(self._fetch, listing, offset))

    def _fetch(self, listing: Listing, offset: int) -> Page:
        """One page, as large as the control plane allows; how large that is holds for the whole run."""
        while True:
            size = self.page_size
            try:
                patient = offset > 0 or not listing.optional
                return self._client.list_page(listing.endpoint, listing.filters, offset, size, patient=patient)
            except (LimitRefused, TooLarge) as refusal:
                if size == 1:
                    raise
                self._shrink(size, refusal)

    def _shrink(self, size: int, refusal: LimitRefused | TooLarge) -> None:
        """Ask for smaller pages: the most that the answer names, else half."""
        named = refusal.named if isinstance(refusal, LimitRefused) else ()
        smaller = max((number for number in named if 0 < number < size), default=size // 2)
        with self._lock:
            if smaller < self.page_size:
                self.page_size = smaller
                _log.warning("pages of %d instead of %d records from here on: the server takes no more", smaller, size)
