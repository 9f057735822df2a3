"""Daemon threads that fetch pages ahead and that signals do not interrupt.

The threads of concurrent.futures delay the end of the process until their requests are done. Daemon threads let an
interrupt end it at once.

Python runs signal handlers in the main thread, at any moment. If that thread handled HTTP or waited on locks written in
Python, an interrupt could leave a lock held forever. So it waits only on a `SimpleQueue`.

Each call runs in its submitter's context, so its log lines carry the same run id.
"""

from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_LOOK_UP_S = 0.2
"""Seconds between checks for a signal while waiting."""


class Task(Generic[T]):
    """A call that one of the pool's threads will run."""

    def __init__(self, call: Callable[[], T]) -> None:
        self.cancelled = False
        self._call = call
        self._context = copy_context()
        self._done: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def cancel(self) -> None:
        """Skip the call unless it has begun; its result must not be awaited afterwards."""
        self.cancelled = True

    def run(self) -> None:
        """Run the call and keep its result or exception."""
        try:
            self._done.put((self._context.run(self._call), None))
        except BaseException as error:  # noqa: BLE001 - `result` raises it again, whatever it is
            self._done.put((None, error))

    @property
    def ready(self) -> bool:
        """Whether `result` would return without waiting."""
        return not self._done.empty()

    def result(self) -> T:
        """Wait for the call, then return its result or raise its exception. Call only once."""
        while True:
            # Neither a signal just before the wait nor one sent to another thread ends the wait.
            with suppress(Empty):
                value, error = self._done.get(timeout=_LOOK_UP_S)
                break
        if error is not None:
            raise error
        return value  # type: ignore[return-value]  # without an error it is the call's result


class FetchPool:
    """A fixed number of threads that run the submitted calls in order."""

    def __init__(self, threads: int) -> None:
        """Start the threads."""
        self._threads = threads
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()
        for _ in range(threads):
            Thread(target=self._work, name="fetch", daemon=True).start()

    def submit(self, call: Callable[[], T]) -> Task[T]:
        """Queue a call; the returned task will hold its result or exception."""
        task = Task(call)
        self._tasks.put(task)
        return task

    def close(self) -> None:
        """Cancel the queued calls and stop each thread after its current one, without waiting."""
        with suppress(Empty):
            while task := self._tasks.get_nowait():
                task.cancel()
        for _ in range(self._threads):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if not task.cancelled:
                task.run()
