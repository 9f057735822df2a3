"""The progress of a run: bars on a terminal, log lines elsewhere."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from etl.sync import Progress as RunProgress
from etl.sync import ProgressLog

_log = logging.getLogger(__name__)
_EVERY_S = 10.0


class NoProgress:
    """No progress."""

    def phase(self, name: str) -> None:
        """Do nothing."""

    def advance(self, entity: str, records: int, total: int | None) -> None:
        """Do nothing."""


class _Bars(Progress):
    """Bars that only their own thread draws.

    Ctrl+C interrupts the main thread at any moment. If that thread drew, bars could be left on the screen.
    """

    def refresh(self) -> None:
        """Do nothing: the thread draws ten times a second, and at the end."""


class ProgressBars:
    """A bar for each phase of a run, with records, pages and rate."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None
        self._pages = 0

    def phase(self, name: str) -> None:
        """Complete the bar before, and add one."""
        if self._task is not None:
            done = self._progress.tasks[self._task].completed
            self._progress.update(self._task, total=max(done, 1), completed=max(done, 1))
        self._task = self._progress.add_task(name, total=None, pages="")
        self._pages = 0

    def advance(self, entity: str, records: int, total: int | None) -> None:  # noqa: ARG002 the bar has a name already
        """Advance the bar."""
        if self._task is not None:
            self._pages += 1
            task = self._progress.tasks[self._task]
            rate = f", {task.speed:,.0f}/s" if task.speed else ""
            self._progress.update(self._task, advance=records, total=total, pages=f"pages: {self._pages}{rate}")


@contextmanager
def progress(wanted: bool | None) -> Iterator[RunProgress]:  # noqa: FBT001 it is a setting
    """Bars if wanted, or on a terminal by default; else log lines; nothing if not wanted."""
    if wanted is None and not sys.stderr.isatty():
        yield ProgressLog(_log, _EVERY_S)
        return
    if wanted is False:
        yield NoProgress()
        return
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[pages]}"), TimeElapsedColumn(),
    )  # fmt: skip
    out = Console(stderr=True)
    # A terminal is cleared for the result; elsewhere only the final state of the bars is written.
    with _Bars(*columns, console=out, transient=out.is_terminal) as live:
        yield ProgressBars(live)
