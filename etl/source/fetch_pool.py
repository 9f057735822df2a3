"""Daemon threads that fetch, ahead and out of the reach of signals.

concurrent.futures waits for its threads when the process ends; an interrupt should end it at once, requests
under way or not. And signals come to the main thread, at any moment: were it to speak HTTP itself, or to wait by
locks that are made in Python, one could leave a lock held for ever. So it waits in a queue, and for nothing else.

A call is made in the context of who submitted it: what it logs tells of the same run.
"""

from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_LOOK_UP_S = 0.2
"""Seconds after which who waits for a result looks whether a signal came."""


class Task(Generic[T]):
    """A call that a thread makes when its turn comes."""

    def __init__(self, call: Callable[[], T]) -> None:
        """Nothing is called yet."""
        self.cancelled = False
        self._call = call
        self._context = copy_context()
        self._done: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def cancel(self) -> None:
        """Do not have it called, unless that has begun; nobody may wait for its result any more."""
        self.cancelled = True

    def run(self) -> None:
        """Call it."""
        try:
            self._done.put((self._context.run(self._call), None))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the result is awaited
            self._done.put((None, error))

    @property
    def ready(self) -> bool:
        """Whether the result would be given at once."""
        return not self._done.empty()

    def result(self) -> T:
        """What the call gave or raised, once it has; to be asked for once."""
        while True:
            # A signal that comes just before the wait does not end it, nor one that another thread was given.
            with suppress(Empty):
                value, error = self._done.get(timeout=_LOOK_UP_S)
                break
        if error is not None:
            raise error
        return value  # type: ignore[return-value]  # without an error it is what the call gave


class FetchPool:
    """A fixed number of threads that work off what is submitted, first come, first served."""

    def __init__(self, threads: int) -> None:
        """Start the threads."""
        self._threads = threads
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()
        for _ in range(threads):
            Thread(target=self._work, name="fetch", daemon=True).start()

    def submit(self, call: Callable[[], T]) -> Task[T]:
        """Have it called; its result or exception waits in the task."""
        task = Task(call)
        self._tasks.put(task)
        return task

    def close(self) -> None:
        """Let each thread end after what it has at hand; wait for none, and call nothing more."""
        with suppress(Empty):
            while task := self._tasks.get_nowait():
                task.cancel()
        for _ in range(self._threads):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if not task.cancelled:
                task.run()
