"""Limits for all workers together: pauses, requests at the same time, requests per second.

The limit on concurrent requests works as in TCP. It grows by one after each round of successes, while a worker waits
for a slot. It halves when the server is overloaded: status 429 or 503, a timeout, or answers clearly slower than usual.

Response time is measured up to the first byte. It is compared only among requests of one kind, because other lists and
page sizes take other times. The fastest of a few answers counts, as in HyStart++ (RFC 9406): large records delay some
answers, an overloaded server delays all.

If even one request at a time is slow, our concurrency is not the cause. Then that time becomes the new baseline, as in
Envoy. Otherwise a list that grows slower towards its end would be read one page at a time from there on.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from threading import Condition, Lock

_FIRST = 2  # concurrent requests at the start
_FEW = 8  # answers of one kind that response times are judged by
_CLEARLY, _NOISE = 2.0, 0.05  # slower: by this factor, plus the seconds that threads cost each other
_LONGEST_SLEEP = 3600.0  # time.sleep does not accept centuries
_OVERLOADED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

_log = logging.getLogger(__name__)


class Slot:
    """One request under way; its sender records the outcome here."""

    def __init__(self, kind: Hashable, number: int, clock: Callable[[], float]) -> None:
        """Start the clock; `number` counts all requests.

        Requests of one `kind` take similar times; those of kind None are not compared.
        """
        self.kind = kind
        self.number = number
        self.began = clock()
        self.seconds = 0.0
        self.status = 0
        self.timed_out = False
        self._clock = clock

    def record_answer(self, status: int) -> None:
        """Record the status and the time at the first byte of the answer."""
        self.status = status
        self.seconds = self._clock() - self.began


class AdaptiveLimit:
    """The number of concurrent requests allowed. Not thread-safe: the caller holds a lock."""

    def __init__(self, most: int) -> None:
        self.now = min(_FIRST, most)
        self.in_flight = 0
        self._most = most
        self._sent = self._sent_at_cut = 0
        self._good = 0
        self._slow = False
        self._latest: dict[Hashable, deque[float]] = defaultdict(lambda: deque(maxlen=_FEW))
        self._usual: dict[Hashable, float] = {}

    def begin(self) -> int:
        """Take a slot; return the number of the request."""
        self.in_flight += 1
        self._sent += 1
        return self._sent

    def end(self, slot: Slot, *, wanted: bool) -> None:
        """Release the slot and learn from the outcome; `wanted`: a worker waits for a slot."""
        self.in_flight -= 1
        if slot.number <= self._sent_at_cut:
            return  # sent before the cut, so it reflects the concurrency before the cut
        if slot.timed_out or slot.status in _OVERLOADED:
            self._cut()
        elif HTTPStatus.OK <= slot.status < HTTPStatus.MULTIPLE_CHOICES:
            self._good += 1
            if self._slows(slot):
                self._cut()
            elif wanted and not self._slow and self._good >= self.now < self._most:
                self.now += 1
                self._good = 0

    def _cut(self) -> None:
        self.now = max(1, self.now // 2)
        self._sent_at_cut = self._sent
        self._good = 0
        self._latest.clear()

    def _slows(self, slot: Slot) -> bool:
        """Whether the latest answers are clearly slower than usual; if so, also stop growth."""
        if slot.kind is None:
            return False
        latest = self._latest[slot.kind]
        latest.append(slot.seconds)
        if len(latest) < _FEW:
            return False
        # The second fastest sets the baseline, because a nearly empty page must not set it.
        quickest, second = sorted(latest)[:2]
        usual = second if self.now == 1 else min(second, self._usual.get(slot.kind, second))
        self._usual[slot.kind] = usual
        self._slow = quickest > _CLEARLY * usual + _NOISE
        return self._slow


class Throttle:
    """Where workers wait before each request, holding neither a slot nor a lock."""

    def __init__(
        self,
        most: int,
        per_second: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Allow `most` concurrent requests, and `per_second` new ones a second (0: no limit)."""
        self.clock = clock
        self._sleep = sleep
        self._spacing = 1 / per_second if per_second else 0.0
        self._opens = self._next = clock()
        self._limit = AdaptiveLimit(most)
        self._waiting = 0
        self._change = Condition(Lock())

    def pause_for(self, seconds: float) -> None:
        """Pause all workers for this long, unless a longer pause is active."""
        with self._change:
            self._opens = max(self._opens, self.clock() + seconds)

    @contextmanager
    def slot(self, kind: Hashable = None) -> Iterator[Slot]:
        """Wait for a slot, and hold it until the answer has been read."""
        slot = self._take_slot(kind)
        try:
            yield slot
        finally:
            with self._change:
                before = self._limit.now
                self._limit.end(slot, wanted=self._waiting > 0)
                now = self._limit.now
                self._change.notify(max(0, now - self._limit.in_flight))
            _log_change(slot, before, now)

    def _take_slot(self, kind: Hashable) -> Slot:
        while True:
            with self._change:
                self._waiting += 1
                self._change.wait_for(lambda: self._limit.in_flight < self._limit.now)
                self._waiting -= 1
                now = self.clock()
                pause = max(self._opens, self._next) - now
                if pause <= 0:
                    self._next = now + self._spacing
                    return Slot(kind, self._limit.begin(), self.clock)
            self._sleep(min(pause, _LONGEST_SLEEP))


def _log_change(slot: Slot, before: int, now: int) -> None:
    if now < before and slot.status in _OVERLOADED:
        _log.info("%d instead of %d requests at once, because the server answered %d", now, before, slot.status)
    elif now != before:
        _log.debug("%d instead of %d requests at once", now, before)
