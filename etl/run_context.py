"""The id of the current run, which every log line names, whatever package or thread writes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_run_id: ContextVar[str | None] = ContextVar("run_id", default=None)


class _Process:
    """The run of the whole process, for threads of libraries and for code after the run."""

    run_id: str | None = None


def run_id() -> str | None:
    """The id of the current run; None outside a run."""
    return _run_id.get() or _Process.run_id


def set_process_run_id(run_id: str | None) -> None:
    """Set the run of the whole process, for a command line, which makes one run only."""
    _Process.run_id = run_id


@contextmanager
def use_run_id(run_id: str) -> Iterator[None]:
    """Set the run of this context, for programs that make several runs at the same time."""
    before = _run_id.set(run_id)
    try:
        yield
    finally:
        _run_id.reset(before)
