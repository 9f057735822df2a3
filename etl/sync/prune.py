"""Housekeeping: what runs wrote down of themselves, and has become old."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.errors import ConfigError
from etl.settings import Settings
from etl.store import PRUNED, Old, open_readonly

_BATCH = 5_000
"""Rows in one transaction: tenths of a second at most, for which a run that writes may have to wait."""

_PAUSE_S = 0.05
"""Between two of them: SQLite hands its write lock to whoever asks at the right moment, not to who waits longest."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pruned:
    """What went, or in a dry run would go: everything of before a moment, by table."""

    before: datetime
    dry_run: bool
    rows: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """The object that `prune --output json` prints."""
        return {"before": self.before.isoformat(), "dry_run": self.dry_run, "deleted": self.rows}


def prune(settings: Settings, *, batch: int = _BATCH, sleep: Callable[[float], None] = time.sleep) -> Pruned:
    """Delete what is older than the settings keep. What went before an error or a signal is gone for good."""
    if settings.keep is None:
        raise ConfigError("How much is to be kept? Give it as --keep 90d: what is older goes.")
    before = _ago(settings.keep)
    with open_readonly(settings.database_url) as connection:
        old = Old(connection, before)
        if settings.dry_run:
            return Pruned(before, dry_run=True, rows=old.count())
        rows = dict.fromkeys(PRUNED, 0)
        for gone in old.delete(batch):
            rows |= {name: rows[name] + number for name, number in gone.items()}
            _log.debug("deleted so far: %s", ", ".join(f"{number} {name}" for name, number in rows.items()))
            sleep(_PAUSE_S)
        return Pruned(before, dry_run=False, rows=rows)


def _ago(span: timedelta) -> datetime:
    try:
        return datetime.now(UTC) - span
    except OverflowError:  # nothing is as old as that
        return datetime.min.replace(tzinfo=UTC)
