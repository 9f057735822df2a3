"""The changes since a position, for programs that wait for them.

A position is the row number of the last change that a program has seen. Merges write one after another, so rows become
visible in the order of their numbers, and no change is missed or read twice. The caller has begun a transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from etl.changes import NamedChange
from etl.store.queries import changes
from etl.store.queries.changes import ChangeFilter
from etl.store.staging_tables import TABLES

_CHANGES, _RUNS = TABLES["changes"], TABLES["sync_runs"]


class ChangeCondition(NamedTuple):
    """The changes to wait for: of a model (name, FQN or `ml-repo/name`), of a tag or alias, or new versions."""

    model: str | None = None
    tag: str | None = None
    new_versions: bool = False


class NewChanges(NamedTuple):
    """The first changes that meet the condition, their number, and the new position."""

    changes: Sequence[NamedChange]
    total: int
    position: int


def position(connection: Connection) -> int:
    """Return the position after all changes; 0 if there are none."""
    return connection.scalar(select(func.max(_CHANGES.c.id))) or 0


def position_at(connection: Connection, moment: datetime) -> int:
    """Return the position before the changes of all runs that ended at this moment or later."""
    later = select(_RUNS.c.id).where(_RUNS.c.finished_at >= moment)
    first = connection.scalar(select(func.min(_CHANGES.c.id)).where(_CHANGES.c.run_id.in_(later)))
    return position(connection) if first is None else first - 1


def read(connection: Connection, condition: ChangeCondition, after: int, limit: int) -> NewChanges:
    """Return the changes after a position: at most `limit`, and the number of all."""
    last = position(connection)
    if last < after:  # SQLite numbers from 1 again after `prune` has deleted all changes
        after = 0
    if last == after:
        return NewChanges((), 0, last)
    model_ids = None if condition.model is None else changes.model_ids(connection, condition.model)
    chosen = ChangeFilter(
        model_ids=model_ids, ids=(after + 1, last), tag=condition.tag, new_versions=condition.new_versions
    )
    found = list(changes.recorded(connection, chosen, limit=limit))
    total = changes.count(connection, chosen).shown if len(found) == limit else len(found)
    return NewChanges(found, total, last)
