"""SIGINT, SIGTERM and SIGHUP end a run cleanly, and never between a commit and the knowledge that it was made."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """While entered, these signals raise KeyboardInterrupt in the main thread, until the run's end is settled.

    KeyboardInterrupt, because database drivers know it and cancel what the server is doing. Python drops it
    where nobody can catch it, as in a weakref's callback: hence `requested`, and `check` now and then.
    """

    def __init__(self, *, last: bool = False) -> None:
        """Nothing is installed yet. `last`: the process ends with the run, and what is settled stays so."""
        self.requested = False
        self._settled = False
        self._last = last
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Install the handlers; outside the main thread Python allows none, and the caller's rule."""
        if threading.current_thread() is threading.main_thread():
            # nohup has SIGHUP ignored, and means it; a shell's background has SIGINT ignored, where a kill means it.
            spared = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
            heard = [number for number in _SIGNALS if number not in spared]
            self._before = {number: signal.signal(number, self._handle) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what was there before; or ignore signals while the process ends, to keep its exit code true."""
        for number, handler in self._before.items():
            ignored = self._last and self._settled
            signal.signal(number, signal.SIG_IGN if ignored else handler)  # type: ignore[arg-type]  # signal gave it
        # Python notes a KeyboardInterrupt that leaves code made from text, such as SQLAlchemy's, and would in the end
        # kill a process that -m started, whatever its exit code; unless other such code ended well since.
        exec("")  # noqa: S102

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal came: the one that was raised at once may have been dropped."""
        if self.requested:
            raise KeyboardInterrupt

    def settle(self) -> None:
        """Ignore signals from now on: how the run ends is decided, and is being written down."""
        self._settled = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Ignore signals in here and, unless it fails, from then on: after a commit the run is over anyway."""
        self.settle()
        made = False
        try:
            self.check()
            yield
            made = True
        finally:
            self._settled = made

    def interrupt(self) -> None:
        """What a signal does, for callers whose handlers are their own. In the main thread, which is interrupted."""
        self._handle(0, None)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self._settled:
            self.requested = True
            raise KeyboardInterrupt
