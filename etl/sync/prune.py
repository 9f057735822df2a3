"""Delete old run history."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.errors import ConfigError
from etl.setting_names import name_of
from etl.settings import Settings
from etl.store import PRUNED, ExpiredHistory, open_readonly

_BATCH = 5_000
"""Rows in one transaction. A run that writes may wait for it, for a few tenths of a second at most."""

_PAUSE_S = 0.05
"""Seconds between two transactions: SQLite does not queue writers, so a waiting run needs a gap to get the lock."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pruned:
    """The number of rows older than `before` that were deleted, by table.

    In a dry run, the number that would be deleted.
    """

    before: datetime
    dry_run: bool
    rows: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the object that `prune --output json` prints."""
        return {"before": self.before.isoformat(), "dry_run": self.dry_run, "deleted": self.rows}


def prune(settings: Settings, *, batch: int = _BATCH, sleep: Callable[[float], None] = time.sleep) -> Pruned:
    """Delete run history that is older than the settings keep.

    An error or a signal does not roll back the batches that were committed before it.
    """
    if settings.keep is None:
        raise ConfigError(
            f"No age is set: pass {name_of('keep')} 90d to delete run history that is older than 90 days."
        )
    before = _ago(settings.keep)
    with open_readonly(settings.database()) as connection:
        expired = ExpiredHistory(connection, before)
        if settings.dry_run:
            return Pruned(before, dry_run=True, rows=expired.count())
        rows = dict.fromkeys(PRUNED, 0)
        for gone in expired.delete(batch):
            rows |= {name: rows[name] + number for name, number in gone.items()}
            _log.debug("deleted so far: %s", ", ".join(f"{number} {name}" for name, number in rows.items()))
            sleep(_PAUSE_S)
        return Pruned(before, dry_run=False, rows=rows)


def _ago(span: timedelta) -> datetime:
    try:
        return datetime.now(UTC) - span
    except OverflowError:  # before the first datetime, so that nothing is older
        return datetime.min.replace(tzinfo=UTC)
