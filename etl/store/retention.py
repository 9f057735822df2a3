"""What has become old in the runs' own tables, deleted in batches. The registry's tables are not touched.

No lock is taken: a run would have to wait for the housekeeping, or leave with 4, and runs over single ML repos may
follow each other so closely that the lock of everything is never free. None is needed either. A run writes its own
rows, closes those of dead runs, and resolves open rejects; what goes here belongs to runs that ended before the moment
given, and no run reads or writes it again. Each batch is a transaction of its own: a run waits for one at most.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, delete, exists, func, or_, select

from etl.store.engine import database_of, writing
from etl.store.staging_tables import TABLES

_RUNS, _CHANGES, _REJECTS, _COUNTS, _SCOPES = (
    TABLES[name] for name in ("sync_runs", "changes", "rejected_records", "sync_run_counts", "sync_scopes")
)

PRUNED = tuple(table.name for table in (_CHANGES, _REJECTS, _COUNTS, _RUNS))
"""The tables of which rows go, in this order: what hangs on a run goes before it."""


class Old:
    """The rows of the runs' tables that are older than a moment, and that nothing rests on."""

    def __init__(self, connection: Connection, before: datetime) -> None:
        """Look which runs stay whatever their age."""
        self._connection = connection
        kept = database_of(connection.engine.url).ids(_rested_on(connection))
        ended = _RUNS.c.finished_at < before  # one that is at work, or ends only now, is not old however it began
        self._changes = and_(_CHANGES.c.observed_at < before, exists().where(_RUNS.c.id == _CHANGES.c.run_id, ended))
        self._rejects = _REJECTS.c.resolved_at < before
        self._runs = and_(
            ended,
            _RUNS.c.status != "running",
            _RUNS.c.id.not_in(select(kept.c.value)),
            # What stays of a run's would go with it.
            ~exists().where(_CHANGES.c.run_id == _RUNS.c.id, _CHANGES.c.observed_at >= before),
            ~exists().where(
                _REJECTS.c.run_id == _RUNS.c.id,
                or_(_REJECTS.c.resolved_at.is_(None), _REJECTS.c.resolved_at >= before),
            ),
        )

    def count(self) -> dict[str, int]:
        """How many rows of each table would go. Writes nothing."""
        of_runs = _COUNTS.join(_RUNS, _COUNTS.c.run_id == _RUNS.c.id)
        counted = (
            (_CHANGES, _CHANGES, self._changes),
            (_REJECTS, _REJECTS, self._rejects),
            (_COUNTS, of_runs, self._runs),
            (_RUNS, _RUNS, self._runs),
        )
        with self._connection.begin():
            return {
                table.name: self._connection.scalar(select(func.count()).select_from(rows).where(old)) or 0
                for table, rows, old in counted
            }

    def delete(self, batch: int) -> Iterator[dict[str, int]]:
        """Delete so many rows at a time; tells, once they are gone for good, how many went from which table."""
        for table, old in ((_CHANGES, self._changes), (_REJECTS, self._rejects)):
            for these in self._batches(table, old, batch):
                with writing(self._connection):
                    gone = {table.name: self._connection.execute(delete(table).where(these)).rowcount}
                yield gone
        for these in self._batches(_RUNS, self._runs, batch):
            of_these = _COUNTS.c.run_id.in_(select(_RUNS.c.id).where(these))
            with writing(self._connection):
                gone = {_COUNTS.name: self._connection.execute(delete(_COUNTS).where(of_these)).rowcount}
                gone[_RUNS.name] = self._connection.execute(delete(_RUNS).where(these)).rowcount
            yield gone

    def _batches(self, table: Table, old: ColumnElement[bool], size: int) -> Iterator[ColumnElement[bool]]:
        """Stretches of the key that hold so many old rows each: in the end each row was looked at once."""
        key: Column[Any] = table.c.id
        left = old
        while True:
            chunk = select(key).where(left).order_by(key).limit(size).subquery()
            with self._connection.begin():
                last = self._connection.scalar(select(func.max(chunk.c.id)))
            if last is None:
                return
            yield and_(left, key <= last)
            left = and_(old, key > last)


def _rested_on(connection: Connection) -> list[str]:
    """Runs that plans, `status` and the next run's look at its host rest on.

    The last complete one of each scope, those that the scopes name as such, and the last of all that wrote.
    """
    newest_first = func.row_number().over(partition_by=_RUNS.c.scope, order_by=(_RUNS.c.started_at.desc(), _RUNS.c.id))
    complete = select(_RUNS.c.id, newest_first.label("place")).where(_RUNS.c.complete).subquery()
    wrote = select(_RUNS.c.id).where(_RUNS.c.status.in_(("succeeded", "partial")))
    with connection.begin():
        last = connection.scalars(select(complete.c.id).where(complete.c.place == 1)).all()
        named = connection.scalars(
            select(_SCOPES.c.last_complete_run_id).where(_SCOPES.c.last_complete_run_id.is_not(None))
        ).all()
        newest = connection.scalars(wrote.order_by(_RUNS.c.started_at.desc()).limit(1)).all()
    return sorted({*last, *named, *newest})
