"""Delete old run history and the state of dead scopes in batches. The registry's tables do not change.

This module takes no run lock. With a lock, a run would have to wait or exit with code 4. Runs over single ML repos may
follow each other so closely that the lock of the whole registry is never free. No lock is needed either. A run writes
its own rows, closes those of dead runs, and resolves open rejected records. The deleted rows belong to runs that ended
before the given moment, and no run reads or writes them again. A run that finds no state of its scope compares every
version, as the first one did. Each batch is one transaction: a run waits for one at
most. A transaction that deletes changes also records how far it went, so that the views of history say nothing false
about the time before.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, delete, exists, func, or_, select

from etl.enums import STATUSES_THAT_WROTE, RunStatus
from etl.store.engine import dialect_of, writing
from etl.store.runs import WHOLE_REGISTRY
from etl.store.scope_states import scope_keys
from etl.store.staging_tables import TABLES

_RUNS, _CHANGES, _REJECTS, _COUNTS, _SCOPES = (
    TABLES[name] for name in ("sync_runs", "changes", "rejected_records", "sync_run_counts", "sync_scopes")
)
_HISTORY = TABLES["pruned_history"]

PRUNED = tuple(table.name for table in (_SCOPES, _CHANGES, _REJECTS, _COUNTS, _RUNS))
"""The tables that lose rows, in the order of deletion: rows that refer to a run before the run."""


class ExpiredHistory:
    """The rows of the run history that are older than a moment and no longer needed."""

    def __init__(self, connection: Connection, before: datetime) -> None:
        """Query the runs to keep regardless of their age."""
        self._connection = connection
        self._scopes = _dead_scopes(connection, before)
        kept = dialect_of(connection.engine.url).ids(_needed_runs(connection, self._scopes))
        ended = _RUNS.c.finished_at < before  # a run that has not ended, or just ended, is not old whenever it began
        self._changes = and_(_CHANGES.c.observed_at < before, exists().where(_RUNS.c.id == _CHANGES.c.run_id, ended))
        self._rejects = _REJECTS.c.resolved_at < before
        self._runs = and_(
            ended,
            _RUNS.c.status != RunStatus.RUNNING,
            _RUNS.c.id.not_in(select(kept.c.value)),
            # Keep a run while other rows that stay refer to it.
            ~exists().where(_CHANGES.c.run_id == _RUNS.c.id, _CHANGES.c.observed_at >= before),
            ~exists().where(
                _REJECTS.c.run_id == _RUNS.c.id,
                or_(_REJECTS.c.resolved_at.is_(None), _REJECTS.c.resolved_at >= before),
            ),
        )

    def count(self) -> dict[str, int]:
        """Count the rows of each table that `delete` would delete. Writes nothing."""
        of_runs = _COUNTS.join(_RUNS, _COUNTS.c.run_id == _RUNS.c.id)
        counted = (
            (_SCOPES, _SCOPES, self._scopes),
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
        """Delete `batch` rows at a time. After each commit, yield the number deleted by table."""
        with writing(self._connection):
            deleted = {_SCOPES.name: self._connection.execute(delete(_SCOPES).where(self._scopes)).rowcount}
        if deleted[_SCOPES.name]:
            yield deleted
        for table, old in ((_CHANGES, self._changes), (_REJECTS, self._rejects)):
            for these in self._batches(table, old, batch):
                with writing(self._connection):
                    if table is _CHANGES:
                        self._note_pruned(these)
                    deleted = {table.name: self._connection.execute(delete(table).where(these)).rowcount}
                yield deleted
        for these in self._batches(_RUNS, self._runs, batch):
            of_these = _COUNTS.c.run_id.in_(select(_RUNS.c.id).where(these))
            with writing(self._connection):
                deleted = {_COUNTS.name: self._connection.execute(delete(_COUNTS).where(of_these)).rowcount}
                deleted[_RUNS.name] = self._connection.execute(delete(_RUNS).where(these)).rowcount
            yield deleted

    def _note_pruned(self, changes: ColumnElement[bool]) -> None:
        """Record the time of the newest of these changes, unless newer ones were pruned before."""
        # Another prune may have deleted them since.
        newest = select(func.max(_CHANGES.c.observed_at)).where(changes).having(func.count() > 0)
        insert = dialect_of(self._connection.engine.url).insert(_HISTORY)
        self._connection.execute(
            insert.from_select([_HISTORY.c.newest_change_at.name], newest).on_conflict_do_nothing()
        )
        is_older = _HISTORY.c.newest_change_at < select(func.max(_HISTORY.c.newest_change_at)).scalar_subquery()
        self._connection.execute(delete(_HISTORY).where(is_older))

    def _batches(self, table: Table, old: ColumnElement[bool], size: int) -> Iterator[ColumnElement[bool]]:
        """Yield ranges of the key with `size` old rows each, so that each row is read only once."""
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


def _dead_scopes(connection: Connection, before: datetime) -> ColumnElement[bool]:
    """Return the condition of scopes that no run needs again.

    They belong to a deleted ML repo, or they are other filters without a run since `before`.
    """
    repos = TABLES["ml_repos"]
    of_repo = select(repos.c.id).where(repos.c.id == _SCOPES.c.ml_repo_id)
    old = (_SCOPES.c.last_complete_at < before) & (_SCOPES.c.scope != WHOLE_REGISTRY) & ~of_repo.exists()
    with connection.begin():
        unused = set(connection.scalars(select(_SCOPES.c.scope).where(old)))
        if unused:  # else spare the query, which reads many rows
            ran = connection.scalars(select(_RUNS.c.scope).where(_RUNS.c.started_at >= before).distinct())
            unused -= {key for filters in ran for key in scope_keys(filters)}
    listed = dialect_of(connection.engine.url).ids(sorted(unused))
    deleted = of_repo.where(repos.c.deleted_at.is_not(None)).exists()
    return or_(deleted, old & _SCOPES.c.scope.in_(select(listed.c.value)))


def _needed_runs(connection: Connection, dead_scopes: ColumnElement[bool]) -> list[str]:
    """Return the runs that plans, `status` and the next run's check of its host need.

    These are the last complete run of the whole registry, those that living scopes name, and the last run that wrote.
    """
    newest_first = (_RUNS.c.started_at.desc(), _RUNS.c.id)
    whole = select(_RUNS.c.id).where(_RUNS.c.complete, _RUNS.c.scope == {})
    wrote = select(_RUNS.c.id).where(_RUNS.c.status.in_(STATUSES_THAT_WROTE))
    with connection.begin():
        last = connection.scalars(whole.order_by(*newest_first).limit(1)).all()
        named = connection.scalars(
            select(_SCOPES.c.last_complete_run_id).where(_SCOPES.c.last_complete_run_id.is_not(None), ~dead_scopes)
        ).all()
        newest = connection.scalars(wrote.order_by(_RUNS.c.started_at.desc()).limit(1)).all()
    return sorted({*last, *named, *newest})
