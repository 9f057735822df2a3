"""The state of a run for telemetry, even if the run fails: a failed run has no summary."""

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from etl import run_context
from etl.source import Client


@dataclass
class RunMonitor:
    """The run enters it at its start: log lines then name this run.

    All fields are final once the run has ended.
    """

    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_s: float = 0.0
    """Seconds from the start to the end, including the wait for the lock."""
    client: Client | None = None
    """Counts requests; None if the run failed before it opened a client."""
    is_recorded: bool = False
    """Whether the run has a row: dry runs, and runs that ended before they held the lock, have none."""
    last_complete_at: datetime | None = None
    """Start of the scope's last complete run, which may be this one; None if none is known."""

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self.started_at = datetime.now(UTC)
        self._of_run = run_context.use_run_id(self.run_id)
        self._of_run.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._of_run.__exit__(kind, error, trace)
        self.finished_at = datetime.now(UTC)
        self.duration_s = self.elapsed()

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began
