"""How many requests are at a server at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock


class ConcurrencyProbe:
    """Counts who is there; holds each back for a moment, unless enough are or were together, so that they can meet."""

    def __init__(self, enough: int) -> None:
        """Nobody is there yet."""
        self.together = Event()
        self.counts: list[int] = []
        self._enough = enough
        self._now = 0
        self._lock = Lock()

    @property
    def most(self) -> int:
        """How many there were at once."""
        return max(self.counts)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Be one of them."""
        with self._lock:
            self._now += 1
            now = self._now
            self.counts.append(now)
        if now >= self._enough:
            self.together.set()
        self.together.wait(0.05)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1
