"""Which run the code is at work for, so that every log line can say so, whatever room or thread wrote it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_run_id: ContextVar[str | None] = ContextVar("run_id", default=None)


class _Process:
    """The run that the whole process is there for, threads of libraries and what follows its end included."""

    run_id: str | None = None


def run_id() -> str | None:
    """The id of the run; None outside of any."""
    return _run_id.get() or _Process.run_id


def set_process_run_id(run_id: str | None) -> None:
    """From now on whatever this process does is for this run: a command line makes but one."""
    _Process.run_id = run_id


@contextmanager
def use_run_id(run_id: str) -> Iterator[None]:
    """What is done in here is done for this run: a program may make several at a time."""
    before = _run_id.set(run_id)
    try:
        yield
    finally:
        _run_id.reset(before)
