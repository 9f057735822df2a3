"""How a run ended, as all reports of it need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from etl.enums import RunStatus

STATUSES = (*(status for status in RunStatus if status is not RunStatus.RUNNING), "locked")
"""Those of `sync_runs`, and `locked`: another run held the lock, so that this one ended."""

OUTCOMES = ("inserted", "updated", "unchanged", "deleted", "restored", "rejected")
"""What a run did with a record."""


@dataclass(frozen=True)
class RunOutcome:
    """A finished run. `error` is one line without secrets; `records` counts by entity and outcome."""

    run_id: str
    scope: str
    status: str
    exit_code: int
    host: str
    started_at: datetime
    finished_at: datetime
    duration_s: float
    requests: int = 0
    retries: int = 0
    bytes_received: int = 0
    last_complete_at: datetime | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    records: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
