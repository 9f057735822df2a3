"""How many requests are at a server at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock


class Crowd:
    """Counts who is there; holds each back for a moment, unless enough are or were together, so that they can meet."""

    def __init__(self, enough: int) -> None:
        """Nobody is there yet."""
        self.together = Event()
        self.most = 0
        self._enough = enough
        self._now = 0
        self._lock = Lock()

    @contextmanager
    def joined(self) -> Iterator[int]:
        """Be one of them; gives how many there are with this one."""
        with self._lock:
            self._now += 1
            now = self._now
            self.most = max(self.most, now)
        if now >= self._enough:
            self.together.set()
        self.together.wait(0.05)
        try:
            yield now
        finally:
            with self._lock:
                self._now -= 1
