"""End a run cleanly on SIGINT, SIGTERM and SIGHUP, and at its time limit.

No signal interrupts a run between its commit and the database's confirmation of it.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

from etl.errors import EtlError, Interrupted, TimeLimitExceeded
from etl.setting_names import name_of

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Raises KeyboardInterrupt in the main thread on these signals, until `ignore`.

    Database drivers handle KeyboardInterrupt, and cancel the server's current statement. Python discards it where no
    code can catch it, for example in a weakref's callback. So the run also calls `check`, which reads `requested`.
    """

    def __init__(self, *, last: bool = False) -> None:
        """`last`: the process ends with the run, so that signals stay ignored after `ignore`."""
        self.requested = False
        self._ignoring = False
        self._limit: float | None = None  # the time limit in seconds, once it has passed
        self._last = last
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Install the handlers.

        Outside the main thread Python allows none, and the caller's handlers remain.
        """
        if threading.current_thread() is threading.main_thread():
            # nohup ignores SIGHUP on purpose. A shell ignores SIGINT for background jobs, but an explicit kill -INT
            # is meant for the run.
            skipped = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
            handled = [number for number in _SIGNALS if number not in skipped]
            self._before = {number: signal.signal(number, self._handle) for number in handled}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the previous handlers.

        If the process ends now, ignore signals instead, to keep its exit code.
        """
        for number, handler in self._before.items():
            ignored = self._last and self._ignoring
            signal.signal(number, signal.SIG_IGN if ignored else handler)  # type: ignore[arg-type]  # from signal.signal
        # SQLAlchemy runs generated code by exec. If a KeyboardInterrupt leaves such code, Python remembers it, and at
        # exit kills a process started with -m, whatever its exit code. A later exec that succeeds clears that.
        exec("")  # noqa: S102

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal was received: Python may have discarded the first."""
        if self.requested:
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """Ignore signals from now on: the run's result is final, and is being recorded."""
        self._ignoring = True

    @contextmanager
    def ignored(self) -> Iterator[None]:
        """Ignore signals within the block and, if it succeeds, after it: the commit ends the run."""
        self.ignore()
        committed = False
        try:
            self.check()
            yield
            committed = True
        finally:
            self._ignoring = committed

    @contextmanager
    def time_limit(self, seconds: float) -> Iterator[None]:
        """Act as if a signal was received once the block has taken this long; 0 means no limit.

        Raises TimeLimitExceeded then, unless the run's result is final; Interrupted after a signal.
        """
        timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._expire, [seconds])
        timer.daemon = True
        try:
            try:
                if seconds:
                    timer.start()
                yield
            finally:
                timer.cancel()
                if timer.ident:  # so that its signal does not arrive after the block
                    timer.join()
        except KeyboardInterrupt as error:
            if not self.requested:
                raise
            raise self.reason() from error

    def reason(self) -> EtlError:
        """The error of a run that was interrupted."""
        if self._limit is None:
            return Interrupted("Interrupted: no record was written.")
        unit = "second" if self._limit == 1 else "seconds"
        return TimeLimitExceeded(
            f"The run took longer than {name_of('max_run_time')}, {self._limit:g} {unit}: nothing was written. Raise "
            "the limit, or find out why the control plane or the database is slow."
        )

    def interrupt(self) -> None:
        """Act as if a signal was received, for callers with handlers of their own.

        Call it in the main thread: it raises KeyboardInterrupt there.
        """
        self._handle(0, None)

    def _expire(self, seconds: float) -> None:
        """Interrupt the run from the timer's thread."""
        if self._ignoring:
            return
        self._limit, self.requested = seconds, True
        if self._before:  # a real signal also ends a wait of the main thread; else `check` ends the run
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self._ignoring:
            self.requested = True
            raise KeyboardInterrupt
