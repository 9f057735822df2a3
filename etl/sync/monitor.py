"""What is known of a run however it ends, for who watches over it: a failed run has no summary."""

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
    """Entered by the run, which is from then on the one that log lines name; all is known once it has ended."""

    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_s: float = 0.0
    """From the start to the end, the wait for the lock included."""
    client: Client | None = None
    """Counts requests; None where a run failed before it had any use for one."""
    is_recorded: bool = False
    """Whether there is a row of the run: none tells of those that ended before they had the lock, or of dry ones."""
    last_complete_at: datetime | None = None
    """Start of the last complete run of the scope, this one included; None where none is known."""

    def __enter__(self) -> Self:
        """The run begins."""
        self._began = time.monotonic()
        self.started_at = datetime.now(UTC)
        self._of_run = run_context.use_run_id(self.run_id)
        self._of_run.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The run has ended."""
        self._of_run.__exit__(kind, error, trace)
        self.finished_at = datetime.now(UTC)
        self.duration_s = self.elapsed()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began
