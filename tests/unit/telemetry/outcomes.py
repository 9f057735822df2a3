"""Build outcomes of runs."""

from datetime import UTC, datetime
from typing import Any

from etl.telemetry import RunOutcome

STARTED = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)
FINISHED = datetime(2026, 11, 1, 12, 0, 30, tzinfo=UTC)


def outcome(**changes: Any) -> RunOutcome:
    """The outcome of a succeeded run, with the changed fields replaced."""
    defaults: dict[str, Any] = {
        "run_id": "1f0c", "scope": "all", "status": "succeeded", "exit_code": 0, "host": "https://plane.example",
        "started_at": STARTED, "finished_at": FINISHED, "duration_s": 30.5, "requests": 4, "retries": 1,
        "bytes_received": 1000, "last_complete_at": STARTED,
        "records": {"models": {"inserted": 3, "rejected": 1}},
    }  # fmt: skip
    return RunOutcome(**defaults | changes)
