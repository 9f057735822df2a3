"""Refuse a run that would delete too much, and name the first records that are missing."""

from collections.abc import Mapping

from etl.changes import deleted_record_names
from etl.enums import Entity
from etl.errors import DeleteLimitExceeded
from etl.store import Tally, reconcile
from etl.store.queries.planned_changes import planned
from etl.sync.context import Context
from etl.sync.planned_changes import NAMED_RECORDS


def check_delete_limit(context: Context, tallies: Mapping[Entity, Tally]) -> None:
    """Raise DeleteLimitExceeded if the run would delete too much, unless the settings allow it."""
    if context.settings.allow_mass_delete:
        return
    connection, share = context.store.connection, context.settings.max_delete_share
    try:
        reconcile.check_delete_limit(connection, tallies, context.scope.repos, share)
    except DeleteLimitExceeded as error:
        missing = planned(connection, NAMED_RECORDS, deletes_only=True)
        names = deleted_record_names(missing, context.client.redact)
        raise DeleteLimitExceeded(f"{error} Missing: {names}.") from error


def delete_limit_error(context: Context, tallies: Mapping[Entity, Tally]) -> DeleteLimitExceeded | None:
    """Return the error that would end the run; a dry run reports it with the counts."""
    try:
        check_delete_limit(context, tallies)
    except DeleteLimitExceeded as error:
        return error
    return None
