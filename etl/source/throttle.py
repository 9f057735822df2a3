"""How fast all workers together ask: when, how many requests at once, how many a second.

The limit on requests under way follows TCP: one more after each round of good answers, as long as somebody waits for
a place; half when the server has too much to do. It says so by 429 or 503, by no answer in time, or by answers that
come clearly later than they did.

Time counts up to the first byte, and among requests of one kind, for another list or page size takes another time. The
quickest of a few answers counts, as in HyStart++ (RFC 9406): large records delay some answers, a busy server all.
Where one request at a time is still slow, it is not our crowd that makes it so: that time becomes the new measure (so
does Envoy), or a list that grows slower towards its end would be read one by one from there on.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from threading import Condition, Lock

_FIRST = 2  # requests under way at the start
_FEW = 8  # answers of one kind that times are judged by
_CLEARLY, _NOISE = 2.0, 0.05  # later: by this factor, and by more seconds than threads cost each other
_LONGEST_SLEEP = 3600.0  # Python knows no pauses of centuries
_TOO_MUCH = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

_log = logging.getLogger(__name__)


class Slot:
    """One request under way; who sends it notes here what came of it."""

    def __init__(self, kind: Hashable, number: int, clock: Callable[[], float]) -> None:
        """Sent now. Requests of one `kind` take about the same time, None is like no other; `number` counts all."""
        self.kind = kind
        self.number = number
        self.began = clock()
        self.seconds = 0.0
        self.status = 0
        self.late = False
        self._clock = clock

    def answered(self, status: int) -> None:
        """The answer has begun."""
        self.status = status
        self.seconds = self._clock() - self.began


class AdaptiveLimit:
    """How many requests may be under way. It knows no threads: who shares it among some holds a lock."""

    def __init__(self, most: int) -> None:
        """Begin modestly."""
        self.now = min(_FIRST, most)
        self.under_way = 0
        self._most = most
        self._sent = self._sent_at_cut = 0
        self._good = 0
        self._slow = False
        self._latest: dict[Hashable, deque[float]] = defaultdict(lambda: deque(maxlen=_FEW))
        self._usual: dict[Hashable, float] = {}

    def begin(self) -> int:
        """Take a place; gives the number of the request."""
        self.under_way += 1
        self._sent += 1
        return self._sent

    def end(self, turn: Slot, *, wanted: bool) -> None:
        """Give the place back, and learn from what came of the request; `wanted`: somebody waits for a place."""
        self.under_way -= 1
        if turn.number <= self._sent_at_cut:
            return  # It tells of the crowd that was there before the cut.
        if turn.late or turn.status in _TOO_MUCH:
            self._cut()
        elif HTTPStatus.OK <= turn.status < HTTPStatus.MULTIPLE_CHOICES:
            self._good += 1
            if self._slows(turn):
                self._cut()
            elif wanted and not self._slow and self._good >= self.now < self._most:
                self.now += 1
                self._good = 0

    def _cut(self) -> None:
        self.now = max(1, self.now // 2)
        self._sent_at_cut = self._sent
        self._good = 0
        self._latest.clear()

    def _slows(self, turn: Slot) -> bool:
        """Whether the latest answers came clearly later than usual. If so, nothing grows until the next few did not."""
        if turn.kind is None:
            return False
        latest = self._latest[turn.kind]
        latest.append(turn.seconds)
        if len(latest) < _FEW:
            return False
        # The second quickest is the measure: a page with hardly a record on it must not set it.
        quickest, second = sorted(latest)[:2]
        usual = second if self.now == 1 else min(second, self._usual.get(turn.kind, second))
        self._usual[turn.kind] = usual
        self._slow = quickest > _CLEARLY * usual + _NOISE
        return self._slow


class Throttle:
    """What all workers pass before they ask: each waits for its turn, and holds nothing while it waits."""

    def __init__(
        self,
        most: int,
        per_second: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin open. So many requests are under way at once, at most, and so many sent in a second, 0 for no bound."""
        self.clock = clock
        self._sleep = sleep
        self._spacing = 1 / per_second if per_second else 0.0
        self._opens = self._next = clock()
        self._limit = AdaptiveLimit(most)
        self._waiting = 0
        self._change = Condition(Lock())

    def shut(self, seconds: float) -> None:
        """Keep everybody waiting for that long, unless it is shut for longer already."""
        with self._change:
            self._opens = max(self._opens, self.clock() + seconds)

    @contextmanager
    def turn(self, kind: Hashable = None) -> Iterator[Slot]:
        """One request, from when its turn has come to when its answer was read."""
        turn = self._taken(kind)
        try:
            yield turn
        finally:
            with self._change:
                before = self._limit.now
                self._limit.end(turn, wanted=self._waiting > 0)
                now = self._limit.now
                self._change.notify(max(0, now - self._limit.under_way))
            _tell(turn, before, now)

    def _taken(self, kind: Hashable) -> Slot:
        while True:
            with self._change:
                self._waiting += 1
                self._change.wait_for(lambda: self._limit.under_way < self._limit.now)
                self._waiting -= 1
                now = self.clock()
                pause = max(self._opens, self._next) - now
                if pause <= 0:
                    self._next = now + self._spacing
                    return Slot(kind, self._limit.begin(), self.clock)
            self._sleep(min(pause, _LONGEST_SLEEP))


def _tell(turn: Slot, before: int, now: int) -> None:
    if now < before and turn.status in _TOO_MUCH:
        _log.info("%d instead of %d requests at once, because the server answered %d", now, before, turn.status)
    elif now != before:
        _log.debug("%d instead of %d requests at once", now, before)
