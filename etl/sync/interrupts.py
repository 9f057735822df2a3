"""SIGINT and SIGTERM end a run cleanly, and never between a commit and the knowledge that it was made."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, both signals raise KeyboardInterrupt in the main thread, once.

    KeyboardInterrupt, because database drivers know it and cancel what the server is doing.
    """

    def __init__(self) -> None:
        """Nothing is installed yet."""
        self._held = False
        self._raised = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Install the handlers; outside the main thread Python allows none, and the caller's rule."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what was there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it is what signal.signal gave

    @contextmanager
    def held(self) -> Iterator[None]:
        """A signal that comes in here is ignored: after a commit the run is over anyway."""
        self._held = True
        try:
            yield
        finally:
            self._raised = True

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not (self._held or self._raised):
            self._raised = True
            raise KeyboardInterrupt
