"""The records of runs.

A run writes its row when it starts, and closes it when it ends. `status` and the next run's plan read these rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Connection, Select, bindparam, exists, func, insert, select, type_coerce, update

from etl.enums import STATUSES_THAT_WROTE, Coverage, Entity, RunStatus
from etl.errors import ConfigError
from etl.models import views
from etl.setting_names import name_of
from etl.store.dialects.base import DatabaseDialect
from etl.store.engine import dialect_of, writing
from etl.store.reconcile import Tally
from etl.store.repo_scope import RepoScope
from etl.store.staging_tables import TABLES

# Tables instead of mapped classes: a statement with a mapped class configures every mapper, at the start of each run.
_RUNS, _COUNTS = (TABLES[name] for name in ("sync_runs", "sync_run_counts"))

_Scope = TypeVar("_Scope", bound=Mapping[Any, Any])

CLOCK_SKEW = timedelta(minutes=5)
"""Times up to this far in the future are not called wrong: the clocks of several machines differ."""

_SHORT_LIST = 100
"""ML repos that a control plane returns in one page, if its pages are the shortest that are usual."""

RUN_ID = bindparam("of_run", type_=_RUNS.c.id.type)
"""The parameter of a statement that writes the run's id."""

RUN_START = bindparam("run_start", type_=_RUNS.c.started_at.type)
"""The parameter of a statement that writes the run's start."""

WHOLE_REGISTRY = "all"
"""The name of the scope without a filter."""


def begin(connection: Connection, run: Mapping[str, Any]) -> None:
    """Write the row of a run that starts.

    Rows that dead runs left `running` become `interrupted`. The caller holds the lock of its ML repos, so runs over any
    of them are dead. A run over the whole registry excludes all others.
    """
    with writing(connection):  # SQLite cannot wait for a writer between a read and a write
        dead = [each.id for each in connection.execute(_select_running()) if _overlap(each.scope, run["scope"])]
        if dead:
            connection.execute(
                update(_RUNS)
                .where(_RUNS.c.id.in_(dead))
                .values(status=RunStatus.INTERRUPTED, finished_at=run["started_at"], error="The process died.")
            )
        connection.execute(insert(_RUNS), [dict(run)])


@cache
def _select_running() -> Select[Any]:
    return select(_RUNS.c.id, _RUNS.c.scope).where(_RUNS.c.status == RunStatus.RUNNING)


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two scopes have an ML repo in common. A scope without ML repos covers all."""
    repos = [set(each.get("ml_repos", ())) for each in (one, other)]
    return not all(repos) or bool(repos[0] & repos[1])


def end(connection: Connection, run_id: str, outcome: Mapping[str, Any], tallies: Mapping[Entity, Tally]) -> bool:
    """Record how the run ended, and its counts; False if its row was already closed.

    The caller commits, together with the data if there is any.
    """
    closed = connection.execute(
        update(_RUNS).where(_RUNS.c.id == run_id, _RUNS.c.status == RunStatus.RUNNING).values(**outcome)
    )
    if not closed.rowcount:
        return False
    if tallies:
        rows = [{"run_id": run_id, "entity": entity, **tally._asdict()} for entity, tally in tallies.items()]
        connection.execute(insert(_COUNTS), rows)
    return True


def last_host(connection: Connection) -> str | None:
    """Return the host of the newest run that wrote; None if no run has."""
    with connection.begin():
        host: str | None = connection.scalar(_select_last_host(dialect_of(connection.engine.url)))
    return host


@cache
def _select_last_host(dialect: DatabaseDialect) -> Select[Any]:
    wrote = _RUNS.c.status.in_(STATUSES_THAT_WROTE)
    return select(_RUNS.c.host).where(wrote).order_by(*_newest_first(dialect)).limit(1)


def _newest_first(dialect: DatabaseDialect) -> tuple[ColumnElement[Any], ...]:
    """Sort runs that are dated in the future last: a clock was wrong."""
    now = type_coerce(dialect.now, _RUNS.c.started_at.type)
    return (_RUNS.c.started_at > now, _RUNS.c.started_at.desc())


def check_same_host(connection: Connection, host: str) -> None:
    """Raise ConfigError if the tables were filled from another control plane.

    Its records may have the same ids.
    """
    before = last_host(connection)
    if before is None or before == host:
        return
    elsewhere = (
        f"for another control plane, use another schema of PostgreSQL ({name_of('schema')}) or another database "
        f"({name_of('database_url')})"
    )
    found = f"This database was filled from {before}, and not from {host}: "
    if before.partition(":")[2] == host.partition(":")[2]:  # without a scheme, --host means https
        raise ConfigError(f"{found}check the scheme in {name_of('host')}; {elsewhere}.")
    same_name = urlsplit(before).hostname == urlsplit(host).hostname
    typo = f"check port and path in {name_of('host')}; " if same_name else ""
    raise ConfigError(
        f"{found}{typo}{elsewhere}. If it is the same one at a new address, run once with {name_of('accept_host')}."
    )


def status(connection: Connection, run_id: str) -> str | None:
    """Return the status in the run's row; None if there is no row."""
    with connection.begin():
        return connection.scalar(select(_RUNS.c.status).where(_RUNS.c.id == run_id))


def is_empty(connection: Connection, repos: RepoScope) -> bool:
    """Whether no model and no version was ever stored in the ML repos."""
    with connection.begin():
        for entity in (Entity.MODELS, Entity.MODEL_VERSIONS):
            if connection.scalar(_select_one(entity, repos)) is not None:
                return False
    return True


@lru_cache
def _select_one(entity: Entity, repos: RepoScope) -> Select[Any]:
    table = TABLES[entity]
    return select(table.c.id).where(repos.contains(table.c.ml_repo_id)).limit(1)


def stored_versions(connection: Connection, repos: RepoScope) -> int:
    """Count the live versions that are stored in the ML repos."""
    with connection.begin():
        return connection.scalar(_count_versions(repos)) or 0


@lru_cache
def _count_versions(repos: RepoScope) -> Select[Any]:
    versions = TABLES[Entity.MODEL_VERSIONS]
    live = versions.c.deleted_at.is_(None) & repos.contains(versions.c.ml_repo_id)
    return select(func.count()).select_from(versions).where(live)


def name_to_find_by(connection: Connection, repos: RepoScope) -> str | None:
    """Return the name of the only ML repo in the scope; None if its list is short, or the name is unknown."""
    if repos.ids is None or len(repos.ids) != 1:
        return None
    table = TABLES[Entity.ML_REPOS]
    name = select(table.c.name).where(table.c.id == repos.ids[0], table.c.is_derived.is_(False))
    with connection.begin():
        number = connection.scalar(select(func.count()).where(table.c.deleted_at.is_(None))) or 0
        found: str | None = connection.scalar(name) if number > _SHORT_LIST else None
    return found if found and found.isprintable() else None


def latest(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return the last runs, newest first, each with its counts by table under `counts`."""
    with connection.begin():
        rows = connection.execute(
            select(_RUNS).order_by(*_newest_first(dialect_of(connection.engine.url)), _RUNS.c.id).limit(limit)
        )
        runs = [dict(row) for row in rows.mappings()]
        for run in runs:
            counts = connection.execute(select(_COUNTS).where(_COUNTS.c.run_id == run["id"]))
            run["counts"] = {row["entity"]: dict(row) for row in counts.mappings()}
    return runs


def by_ids(connection: Connection, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of these runs, unordered, without the ids that no run has."""
    with connection.begin():
        wanted = select(dialect_of(connection.engine.url).ids(ids).c.value)
        found = connection.execute(select(_RUNS).where(_RUNS.c.id.in_(wanted)))
        return [dict(row) for row in found.mappings()]


def with_changes(connection: Connection, scope: Mapping[str, Any], after: datetime) -> list[str]:
    """Return the ids of the runs that ended after a moment and changed an ML repo of the scope, oldest first."""
    changed = _COUNTS.c.inserted + _COUNTS.c.updated + _COUNTS.c.deleted + _COUNTS.c.restored > 0
    query = (
        select(_RUNS.c.id, _RUNS.c.scope)
        .where(_RUNS.c.finished_at > after, exists().where(_COUNTS.c.run_id == _RUNS.c.id, changed))
        .order_by(_RUNS.c.finished_at)
    )
    with connection.begin():
        return [each.id for each in connection.execute(query) if _overlap(each.scope, scope)]


class Written(NamedTuple):
    """What some runs wrote: the number of records by entity and kind, and the first and last id in `changes`."""

    counts: dict[str, dict[str, int]]
    first_change_id: int | None
    last_change_id: int | None


def written_by(connection: Connection, ids: Sequence[str]) -> Written:
    """Return what these runs wrote together."""
    wanted = select(dialect_of(connection.engine.url).ids(ids).c.value)
    kinds = ("inserted", "updated", "deleted", "restored")
    sums = select(_COUNTS.c.entity, *(func.sum(_COUNTS.c[kind]) for kind in kinds))
    changes = TABLES["changes"]
    span = select(func.min(changes.c.id), func.max(changes.c.id)).where(changes.c.run_id.in_(wanted))
    with connection.begin():
        rows = connection.execute(sums.where(_COUNTS.c.run_id.in_(wanted)).group_by(_COUNTS.c.entity)).all()
        counts = {row[0]: dict(zip(kinds, map(int, row[1:]), strict=True)) for row in rows}
        return Written(counts, *connection.execute(span).one())


def is_in_future(age_s: float) -> bool:
    """Whether a time of this age lies in the future by more than clocks usually differ."""
    return age_s < -CLOCK_SKEW.total_seconds()


def age_of(scopes: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the age of the tables in seconds; None without scopes."""
    row = scope_that_dates(scopes)
    return None if row is None else row["age_seconds"]


def scope_that_dates(scopes: Iterable[_Scope]) -> _Scope | None:
    """Return the scope whose age is that of the tables; None without scopes.

    This is the scope of the whole registry or, without one, the oldest scope.
    """
    return max(scopes, key=lambda row: (row["scope"] == WHOLE_REGISTRY, row["age_seconds"]), default=None)


UNTIL_FULL_COMPARISON = "The next one finds changes of older versions that their model does not show."
"""What a reader must know of tables whose last run compared less than everything."""


def full_comparison_age(scopes: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the seconds since the oldest last full comparison of the scopes that a later run did not repeat.

    None if the last complete run of each was one.
    """
    ages = [
        row["age_seconds"] + (row["last_complete_at"] - row["last_full_at"]).total_seconds()
        for row in scopes
        if row["coverage"] == Coverage.ALL and row["last_full_at"] and row["last_full_at"] < row["last_complete_at"]
    ]
    return max(ages, default=None)


def freshness(connection: Connection) -> list[dict[str, Any]]:
    """Return the rows of the view `sync_freshness`."""
    with connection.begin():
        return [dict(row) for row in connection.execute(select(views.sync_freshness)).mappings()]


def missing_versions(connection: Connection, scopes: Iterable[Mapping[str, Any]]) -> int | None:
    """Count the versions that are not stored; None if all `scopes` copy every version.

    Gaps in the version numbers give the count. The caller has begun a transaction.
    """
    if all(row["coverage"] == Coverage.ALL for row in scopes):
        return None
    view = views.version_coverage
    return int(connection.scalar(select(func.coalesce(func.sum(view.c.missing_versions), 0))) or 0)
