"""How far a run is: bars on a terminal, a line now and then elsewhere."""

import logging
import sys
import time
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

_log = logging.getLogger(__name__)
_EVERY_S = 10.0


class NoProgress:
    """For who does not want to know."""

    def phase(self, name: str) -> None:
        """Say nothing."""

    def advance(self, entity: str, records: int, total: int | None) -> None:
        """Say nothing."""


class ProgressLog:
    """A log line for each part of a run, and one now and then within."""

    def __init__(self) -> None:
        """Nothing has been told."""
        self._records = 0
        self._next = time.monotonic() + _EVERY_S

    def phase(self, name: str) -> None:
        """Say what comes next."""
        _log.info("%s …", name)
        self._records = 0

    def advance(self, entity: str, records: int, total: int | None) -> None:
        """Say how far it is, at most every ten seconds."""
        self._records += records
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY_S
            _log.info("%s: %d of %s", entity, self._records, "?" if total is None else total)


class ProgressBars:
    """One bar for each part of a run: records, pages, rate."""

    def __init__(self, progress: Progress) -> None:
        """The bars show while `progress` is live."""
        self._progress = progress
        self._task: TaskID | None = None
        self._pages = 0

    def phase(self, name: str) -> None:
        """End the bar before, and begin one."""
        if self._task is not None:
            done = self._progress.tasks[self._task].completed
            self._progress.update(self._task, total=max(done, 1), completed=max(done, 1))
        self._task = self._progress.add_task(name, total=None, pages="")
        self._pages = 0

    def advance(self, entity: str, records: int, total: int | None) -> None:  # noqa: ARG002 the bar is named already
        """Move the bar."""
        if self._task is not None:
            self._pages += 1
            task = self._progress.tasks[self._task]
            rate = f", {task.speed:,.0f}/s" if task.speed else ""
            self._progress.update(self._task, advance=records, total=total, pages=f"pages: {self._pages}{rate}")


@contextmanager
def progress(wanted: bool | None) -> Iterator[RunProgress]:  # noqa: FBT001 it is a setting
    """Bars when wanted, or by themselves on a terminal; lines elsewhere, and nothing when not wanted."""
    if wanted is None and not sys.stderr.isatty():
        yield ProgressLog()
        return
    if wanted is False:
        yield NoProgress()
        return
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[pages]}"), TimeElapsedColumn(),
    )  # fmt: skip
    out = Console(stderr=True)
    # A terminal is left clean for the result; elsewhere only how the bars end is ever shown.
    with Progress(*columns, console=out, transient=out.is_terminal) as live:
        yield ProgressBars(live)
