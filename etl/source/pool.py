"""Daemon threads that fetch ahead.

concurrent.futures waits for its threads when the process ends; an interrupt should end it at once, requests
under way or not.
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """A fixed number of threads that work off what is submitted, first come, first served."""

    def __init__(self, threads: int) -> None:
        """Start the threads."""
        self._threads = threads
        self._tasks: SimpleQueue[tuple[Future[T], Callable[[], T]] | None] = SimpleQueue()
        for _ in range(threads):
            Thread(target=self._work, name="fetch", daemon=True).start()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have it called; its result or exception waits in the future."""
        future: Future[T] = Future()
        self._tasks.put((future, call))
        return future

    def close(self) -> None:
        """Let each thread end after what it has at hand; wait for none, and call nothing more."""
        with suppress(Empty):
            while task := self._tasks.get_nowait():
                task[0].cancel()
        for _ in range(self._threads):
            self._tasks.put(None)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, call = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the result is awaited
                    future.set_exception(error)
