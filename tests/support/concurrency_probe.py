"""Counts concurrent requests at a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock


class ConcurrencyProbe:
    """Counts concurrent requests; delays each for a moment until `target` requests have been concurrent once."""

    def __init__(self, target: int) -> None:
        self.together = Event()
        self.counts: list[int] = []
        self._target = target
        self._now = 0
        self._lock = Lock()

    @property
    def most(self) -> int:
        """The largest number of concurrent requests."""
        return max(self.counts)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Count as a request inside this context."""
        with self._lock:
            self._now += 1
            now = self._now
            self.counts.append(now)
        if now >= self._target:
            self.together.set()
        self.together.wait(0.05)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1
