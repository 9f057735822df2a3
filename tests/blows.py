"""What can befall a run from outside: signals, waiting, and work in the registry meanwhile."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from etl.errors import LockHeld
from etl.store import lock_is_free, open_engine
from tests.mirror import Mirror


def at_request(mirror: Mirror, path: str, number: int, work: Callable[[], object]) -> list[int]:
    """Have something happen at the nth request for a path; gives the list of when it did."""
    count: list[int] = []
    happened: list[int] = []

    def hook(request: int, asked: str, _query: dict[str, list[str]]) -> None:
        if asked.endswith(path):
            count.append(request)
            if len(count) == number:
                happened.append(request)
                work()

    mirror.plane.before_request = hook
    return happened


def strike(mirror: Mirror, request: int, blow: Callable[[subprocess.Popen[str]], object]) -> subprocess.Popen[str]:
    """A run that is struck when it sends its nth request."""
    started = threading.Event()
    running: list[subprocess.Popen[str]] = []
    requests: list[int] = []

    def hook(number: int, _path: str, _query: dict[str, list[str]]) -> None:
        requests.append(number)
        if len(requests) == request:
            started.wait(10)
            # The answer goes out meanwhile: some blows are to fall on what the run does with it.
            threading.Thread(target=blow, args=(running[0],), daemon=True).start()

    mirror.plane.before_request = hook
    running.append(mirror.start("--lock-wait", "30"))
    started.set()
    return running[0]


def kill(process: subprocess.Popen[str], *, after: float) -> None:
    time.sleep(after)
    process.kill()


def wait_for_the_lock(mirror: Mirror) -> None:
    """A server notices only after a moment that a client died."""
    engine = open_engine(mirror.url)
    for _ in range(200):
        try:
            lock_is_free(engine)
        except LockHeld:
            time.sleep(0.05)
        else:
            break
    engine.dispose()


@contextmanager
def held_up(mirror: Mirror, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Callable[[], None]]]:
    """A run that has begun and gets no answer before it is told to go on."""
    begun, gate = threading.Event(), threading.Event()

    def hook(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        if path.endswith("/ml-repos"):
            begun.set()
            gate.wait(60)

    mirror.plane.before_request = hook
    process = mirror.start(*arguments)
    try:
        assert begun.wait(30)
        yield process, gate.set
    finally:
        gate.set()
        process.kill()
        process.communicate()
