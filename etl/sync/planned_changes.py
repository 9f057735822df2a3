"""The changes that a dry run has staged, by name."""

from etl.changes import PlannedChanges
from etl.store.queries.planned_changes import planned
from etl.sync.context import Context

NAMED_RECORDS = 10
"""The number of records that messages for people name."""

_LISTED_CHANGES = 1000


def planned_changes(context: Context) -> PlannedChanges | None:
    """Return the changes that a dry run has found; None for a run that records them itself."""
    limit = None if context.list_all_changes else _LISTED_CHANGES
    return planned(context.store.connection, limit) if context.settings.dry_run else None
