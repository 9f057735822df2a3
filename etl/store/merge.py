"""The one transaction of a run: all staged rows become visible at once, or none do.

The cached functions, named by verbs of SQL, return statements, which are built once for the process.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Delete,
    Insert,
    Select,
    Update,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.sql.dml import ReturningDelete

from etl.enums import Entity, Outcome
from etl.models.types import RegistryJson
from etl.store import rejected_records, vocabulary
from etl.store.concurrent_runs import rebase_staging
from etl.store.dialects.base import DatabaseDialect
from etl.store.engine import dialect_of
from etl.store.rejected_records import MissingRecords
from etl.store.repo_scope import RepoScope
from etl.store.runs import RUN_ID, RUN_START
from etl.store.staging_tables import (
    CHILDREN,
    LOGGED_AT,
    OBSERVED,
    STAGES,
    TABLES,
    TO_DELETE,
    TO_RESTORE,
    VERSIONS_INCOMPLETE,
    VERSIONS_READ,
    record_id,
)

_FILLED = union_all(
    *(
        select(literal(name)).where(exists().select_from(table))
        for name, table in {**STAGES, TO_DELETE.name: TO_DELETE, TO_RESTORE.name: TO_RESTORE}.items()
    )
)
"""The names of the staging tables that have rows. Most runs change little, and a statement takes a millisecond."""


_HAS_VERSIONS = select(exists().select_from(TABLES[Entity.MODEL_VERSIONS]))


class SupersedeMode(Enum):
    """How a run changes `superseded_at`."""

    NOTHING = auto()
    CLEAR = auto()
    """The run read lists of versions: the versions that it read are up to date."""
    CHANGED = auto()
    """The run read only latest versions: the other versions of changed models are superseded.

    A model with a new or changed version counts as changed: `rejected retry` may have stored the model before.
    """
    EVERY = auto()
    """The run read only latest versions: the other versions of all models that it read are superseded."""


def merge(  # noqa: PLR0913 all inputs of a run's commit
    connection: Connection,
    *,
    repos: RepoScope,
    run_id: str,
    now: datetime,
    newest_credible: datetime,
    first_load: bool,
    missing: MissingRecords,
    supersede: SupersedeMode,
) -> None:
    """Merge the staged rows into the registry's tables. The caller begins and commits.

    `now` becomes first_seen_at, last_changed_at, deleted_at, superseded_at and resolved_at. `first_load`: the scope
    had no model before. `missing` names rejected records that the source no longer has.
    """
    dialect = dialect_of(connection.engine.url)
    rebase_staging(connection, repos, newest_credible)
    filled = set(connection.scalars(_FILLED))
    had_versions = connection.scalar(_HAS_VERSIONS)
    _write_records(connection, dialect, filled, now)
    _write_marks(connection, filled, supersede, now)
    if had_versions:
        _unmark_read(connection, dialect)
    for statement in _replace_reads(dialect):
        connection.execute(statement)
    _log_changes(connection, filled, run_id, now)
    if first_load:
        names = ("subjects", *(name for entity, children in CHILDREN.items() for name in (entity, *children)))
        dialect.analyze_new(connection, [TABLES[name] for name in names])
    rejected_records.resolve(connection, missing, now)
    rejected_records.store_rejected(connection, run_id, now)


def _write_records(connection: Connection, dialect: DatabaseDialect, filled: Collection[str], now: datetime) -> None:
    """Write the staged rows of subjects and records, and replace the child rows of changed records."""
    if "subjects" in filled:
        connection.execute(_upsert_subjects(dialect))
    for entity, children in CHILDREN.items():
        if entity in filled:
            _drop_children(connection, entity, children)
            connection.execute(_upsert_records(dialect, entity), {"run_start": now})
        for child in children:
            if child in filled:
                connection.execute(_insert_children(dialect, child))
    if "model_version_metrics" in filled:
        vocabulary.store_metric_directions(connection)


def _write_marks(connection: Connection, filled: Collection[str], supersede: SupersedeMode, now: datetime) -> None:
    """Write `deleted_at` and `superseded_at`."""
    for entity in CHILDREN:
        if TO_DELETE.name in filled:
            connection.execute(_update_deleted(entity), {"run_start": now})
        connection.execute(_update_restored(entity), {"run_start": now})
    for statement in _update_superseded(supersede):
        connection.execute(statement, {"run_start": now})


def _log_changes(connection: Connection, filled: Collection[str], run_id: str, now: datetime) -> None:
    for source in ("changes", TO_DELETE.name, TO_RESTORE.name):
        if source in filled:
            connection.execute(_insert_changes(source), {"of_run": run_id, "run_start": now})


@cache
def _upsert_subjects(dialect: DatabaseDialect) -> Insert:
    """Keep the newest staged row of each subject."""
    stage, table = STAGES["subjects"], TABLES["subjects"]
    newest = func.row_number().over(
        partition_by=stage.c.id,
        order_by=(stage.c.stamp.desc().nulls_last(), stage.c.slug, stage.c.display_name),
    )
    ranked = select(stage, newest.label("rank")).subquery()
    names = [column.name for column in table.columns]
    rows = select(*(_from_stage(dialect, table.c[name], ranked.c[name]) for name in names)).where(ranked.c.rank == 1)
    upsert = dialect.insert(table).from_select(names, rows)
    data = [name for name in names if name != "id"]
    differs = [table.c[name].is_distinct_from(upsert.excluded[name]) for name in data]
    return upsert.on_conflict_do_update(
        index_elements=["id"], set_={name: upsert.excluded[name] for name in data}, where=or_(*differs)
    )


def _from_stage(dialect: DatabaseDialect, column: Column[Any], staged: ColumnElement[Any]) -> ColumnElement[Any]:
    """Cast a staged column to the type of the table's column: JSON is staged as text."""
    if dialect.staged_json is not None and isinstance(column.type, RegistryJson):
        return cast(staged, dialect.staged_json)
    return staged


def _drop_children(connection: Connection, entity: Entity, children: Sequence[str]) -> None:
    """Delete the child rows of changed records: the staged rows replace all of them."""
    if connection.scalar(_any_changed(entity)):
        for child in children:
            connection.execute(_delete_children(entity, child))


def _stored_before(entity: Entity) -> ColumnElement[bool]:
    return (OBSERVED.c.entity == entity) & OBSERVED.c.outcome.in_((Outcome.UPDATED, Outcome.RESTORED))


@cache
def _any_changed(entity: Entity) -> Select[Any]:
    return select(exists().where(_stored_before(entity)))


@cache
def _delete_children(entity: Entity, child: str) -> Delete:
    stage, table = STAGES[entity], TABLES[child]
    changed = select(stage.c.id).join(OBSERVED, OBSERVED.c.id == stage.c.id).where(_stored_before(entity))
    return delete(table).where(record_id(table).in_(changed))


@cache
def _insert_children(dialect: DatabaseDialect, child: str) -> Insert:
    stage, table = STAGES[child], TABLES[child]
    columns = {column.name: _from_stage(dialect, table.c[column.name], column) for column in stage.columns}
    if table is LOGGED_AT.table:
        columns[LOGGED_AT.name] = dialect.from_epoch_ms(stage.c.timestamp_ms)
    # In key order, so that the index grows at one end instead of everywhere.
    rows = select(*columns.values()).order_by(*(stage.c[key.name] for key in table.primary_key))
    return insert(table).from_select(list(columns), rows)


@cache
def _upsert_records(dialect: DatabaseDialect, entity: Entity) -> Insert:
    stage, table = STAGES[entity], TABLES[entity]
    names = [column.name for column in stage.columns]
    staged = (_from_stage(dialect, table.c[name], stage.c[name]) for name in names)
    # Without WHERE, SQLite parses ON CONFLICT as a join.
    rows: Select[Any] = select(*staged, RUN_START, RUN_START).where(true())
    upsert = dialect.insert(table).from_select([*names, "first_seen_at", "last_changed_at"], rows)
    replaced = {name: upsert.excluded[name] for name in (*names, "last_changed_at") if name != "id"}
    return upsert.on_conflict_do_update(index_elements=["id"], set_=replaced | {"deleted_at": None})


@cache
def _update_deleted(entity: Entity) -> Update:
    table = TABLES[entity]
    missing_ids = select(TO_DELETE.c.id).where(TO_DELETE.c.entity == entity)
    return update(table).where(table.c.id.in_(missing_ids)).values(deleted_at=RUN_START, last_changed_at=RUN_START)


@cache
def _update_restored(entity: Entity) -> Update:
    """Clear `deleted_at` of restored records.

    This includes records older than their stored rows, and versions that are restored with their model.
    """
    table = TABLES[entity]
    read = select(OBSERVED.c.id).where(OBSERVED.c.entity == entity, OBSERVED.c.outcome == Outcome.RESTORED)
    back = read.union_all(select(TO_RESTORE.c.id)) if entity is Entity.MODEL_VERSIONS else read
    return (
        update(table)
        .where(table.c.deleted_at.is_not(None), table.c.id.in_(back))
        .values(deleted_at=None, last_changed_at=RUN_START)
    )


@cache
def _update_superseded(what: SupersedeMode) -> tuple[Update | Delete, ...]:
    """Mark versions that runs no longer keep up to date, and clear the mark of those they do."""
    if what is SupersedeMode.NOTHING:
        return ()
    versions, models = TABLES["model_versions"], TABLES["models"]
    seen = select(OBSERVED.c.id).where(OBSERVED.c.entity == Entity.MODELS, OBSERVED.c.outcome != Outcome.REJECTED)
    of_seen = versions.c.model_id.in_(seen)
    if what is SupersedeMode.CHANGED:
        changed = seen.where(OBSERVED.c.outcome != Outcome.UNCHANGED)
        of_seen = versions.c.model_id.in_(changed.union(select(STAGES["model_versions"].c.model_id)))
    marked = versions.c.superseded_at.is_not(None)
    is_latest = exists().where(models.c.id == versions.c.model_id, models.c.latest_version_id == versions.c.id)
    clear = update(versions).values(superseded_at=None, last_changed_at=RUN_START)
    if what is SupersedeMode.CLEAR:
        read = select(OBSERVED.c.id).where(
            OBSERVED.c.entity == Entity.MODEL_VERSIONS, OBSERVED.c.outcome != Outcome.REJECTED
        )
        is_read = versions.c.id.in_(read) | versions.c.model_id.in_(select(VERSIONS_READ.c.model_id))
        return (clear.where(marked, is_read | versions.c.deleted_at.is_not(None)),)
    mark = update(versions).values(superseded_at=RUN_START, last_changed_at=RUN_START)
    # The next run that can list versions reads all versions of these models.
    reads = TABLES["version_read_state"]
    superseded = select(versions.c.model_id).where(versions.c.superseded_at == RUN_START)
    return (
        clear.where(marked, of_seen, is_latest),
        mark.where(~marked, versions.c.deleted_at.is_(None), of_seen, ~is_latest),
        delete(reads).where(reads.c.model_id.in_(superseded)),
    )


def _unmark_read(connection: Connection, dialect: DatabaseDialect) -> None:
    """Unmark models that keep a version which was not read, if the run deleted nothing.

    The next run reads their versions again. In a first load, every stored version was read.
    """
    table = TABLES["version_read_state"]
    not_read = connection.scalars(_delete_not_read()).all()
    if not_read:
        connection.execute(delete(table).where(table.c.model_id.in_(select(dialect.ids(not_read).c.value))))


@cache
def _delete_not_read() -> ReturningDelete[Any]:
    versions, version = TABLES["model_versions"], OBSERVED.alias()
    brought = exists().where(version.c.entity == Entity.MODEL_VERSIONS, version.c.id == versions.c.id)
    kept = select(versions.c.model_id).where(
        versions.c.deleted_at.is_(None), versions.c.model_id.in_(select(VERSIONS_READ.c.model_id)), ~brought
    )
    return delete(VERSIONS_READ).where(VERSIONS_READ.c.model_id.in_(kept)).returning(VERSIONS_READ.c.model_id)


@cache
def _replace_reads(dialect: DatabaseDialect) -> tuple[Delete | Insert, ...]:
    """Record the models whose versions were all read and stored."""
    table = TABLES["version_read_state"]
    incomplete = select(VERSIONS_INCOMPLETE.c.model_id).where(
        ~exists().where(VERSIONS_READ.c.model_id == VERSIONS_INCOMPLETE.c.model_id)
    )
    rejected = select(VERSIONS_READ.c.model_id).where(~VERSIONS_READ.c.all_stored)
    read = (
        select(OBSERVED.c.id, OBSERVED.c.change_hash)
        .join(VERSIONS_READ, VERSIONS_READ.c.model_id == OBSERVED.c.id)
        .where(OBSERVED.c.entity == Entity.MODELS, OBSERVED.c.change_hash.is_not(None), VERSIONS_READ.c.all_stored)
    )
    upsert = dialect.insert(table).from_select(["model_id", "change_hash"], read)
    return (
        delete(table).where(table.c.model_id.in_(incomplete.union_all(rejected))),
        upsert.on_conflict_do_update(
            index_elements=["model_id"],
            set_={"change_hash": upsert.excluded.change_hash},
            where=table.c.change_hash != upsert.excluded.change_hash,
        ),
    )


@cache
def _insert_changes(source: str) -> Insert:
    """Log the changes that one staging table has."""
    stage, of_record = STAGES["changes"], ["entity", "entity_id", "kind"]
    sources: Mapping[str, tuple[Sequence[str], Iterable[ColumnElement[Any]]]] = {
        "changes": (stage.columns.keys(), stage.columns),
        TO_DELETE.name: (of_record, (TO_DELETE.c.entity, TO_DELETE.c.id, literal("deleted"))),
        TO_RESTORE.name: (of_record, (literal(Entity.MODEL_VERSIONS.value), TO_RESTORE.c.id, literal("restored"))),
    }
    columns, rows = sources[source]
    return insert(TABLES["changes"]).from_select(["run_id", "observed_at", *columns], select(RUN_ID, RUN_START, *rows))
