"""The changes that a run has staged, named for a dry run and for a refused run."""

from etl.changes import PlannedChanges, record_names
from etl.errors import DeleteLimitExceeded
from etl.redaction import secret_pattern
from etl.sync.context import Context

NAMED_RECORDS = 10
"""The number of records that messages for people name."""

_LISTED_CHANGES = 1000


def planned_changes(context: Context) -> PlannedChanges | None:
    """Return the changes that a dry run has found; None for a run that records them itself."""
    return context.store.planned_changes(_LISTED_CHANGES) if context.settings.dry_run else None


def name_missing(error: DeleteLimitExceeded, context: Context) -> DeleteLimitExceeded:
    """Add the names of the first missing records to the message."""
    missing = context.store.planned_changes(NAMED_RECORDS, deletes_only=True)
    secret = secret_pattern(context.settings.api_key or "")
    names = record_names(missing, lambda text: secret.sub("***", text))
    return DeleteLimitExceeded(f"{error} Missing: {names}.")
