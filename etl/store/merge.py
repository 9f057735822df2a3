"""The one transaction of a run: all staged rows become visible at once, or none do."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import Enum, auto
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
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

from etl.enums import Entity, Outcome
from etl.models.types import RegistryJson
from etl.store import rejected_records, vocabulary
from etl.store.concurrent_runs import rebase_staging
from etl.store.dialects.base import DatabaseDialect
from etl.store.engine import dialect_of
from etl.store.rejected_records import MissingRecords
from etl.store.repo_scope import RepoScope
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
    """The run read only latest versions, unlike the run before: the other versions of all models are superseded."""


def merge(  # noqa: PLR0913 all inputs of a run's commit
    connection: Connection,
    *,
    repos: RepoScope,
    run_id: str,
    now: datetime,
    newest_credible: datetime,
    log_changes: bool,
    missing: MissingRecords,
    supersede: SupersedeMode,
) -> None:
    """Merge the staged rows into the registry's tables. The caller begins and commits.

    `now` becomes first_seen_at, last_changed_at, deleted_at, superseded_at and resolved_at. `log_changes` is off for a
    scope's first load. `missing` names rejected records that the source no longer has.
    """
    dialect = dialect_of(connection.engine.url)
    rebase_staging(connection, repos, newest_credible)
    filled = set(connection.scalars(_FILLED))
    had_versions = connection.scalar(select(exists().select_from(TABLES[Entity.MODEL_VERSIONS])))
    if "subjects" in filled:
        _merge_subjects(connection, dialect)
    for entity, children in CHILDREN.items():
        if entity in filled:
            _drop_children(connection, entity, children)
            _upsert(connection, dialect, entity, now)
        for child in children:
            if child in filled:
                _insert_children(connection, dialect, child)
    if "model_version_metrics" in filled:
        vocabulary.store_metric_directions(connection)
    if TO_DELETE.name in filled:
        _soft_delete(connection, now)
    _restore(connection, now)
    _supersede(connection, supersede, now)
    if had_versions:
        _unmark_read(connection, dialect)
    _note_reads(connection, dialect)
    if log_changes:
        _log_changes(connection, run_id, now, filled)
    else:
        names = ("subjects", *(name for entity, children in CHILDREN.items() for name in (entity, *children)))
        dialect.analyze_new(connection, [TABLES[name] for name in names])
    rejected_records.resolve(connection, missing, now)
    rejected_records.store_rejected(connection, run_id, now)


def _merge_subjects(connection: Connection, dialect: DatabaseDialect) -> None:
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
    connection.execute(
        upsert.on_conflict_do_update(
            index_elements=["id"], set_={name: upsert.excluded[name] for name in data}, where=or_(*differs)
        )
    )


def _from_stage(dialect: DatabaseDialect, column: Column[Any], staged: ColumnElement[Any]) -> ColumnElement[Any]:
    """Cast a staged column to the type of the table's column: JSON is staged as text."""
    if dialect.staged_json is not None and isinstance(column.type, RegistryJson):
        return cast(staged, dialect.staged_json)
    return staged


def _drop_children(connection: Connection, entity: Entity, children: Sequence[str]) -> None:
    """Delete the child rows of changed records: the staged rows replace all of them."""
    stage = STAGES[entity]
    stored_before = (OBSERVED.c.entity == entity) & OBSERVED.c.outcome.in_((Outcome.UPDATED, Outcome.RESTORED))
    if not connection.scalar(select(exists().where(stored_before))):
        return
    changed = select(stage.c.id).join(OBSERVED, OBSERVED.c.id == stage.c.id).where(stored_before)
    for child in children:
        table = TABLES[child]
        connection.execute(delete(table).where(record_id(table).in_(changed)))


def _insert_children(connection: Connection, dialect: DatabaseDialect, child: str) -> None:
    stage, table = STAGES[child], TABLES[child]
    columns = {column.name: _from_stage(dialect, table.c[column.name], column) for column in stage.columns}
    if table is LOGGED_AT.table:
        columns[LOGGED_AT.name] = dialect.from_epoch_ms(stage.c.timestamp_ms)
    # In key order, so that the index grows at one end instead of everywhere.
    rows = select(*columns.values()).order_by(*(stage.c[key.name] for key in table.primary_key))
    connection.execute(insert(table).from_select(list(columns), rows))


def _upsert(connection: Connection, dialect: DatabaseDialect, entity: Entity, now: datetime) -> None:
    stage, table = STAGES[entity], TABLES[entity]
    names = [column.name for column in stage.columns]
    stamp = literal(now, table.c.first_seen_at.type)
    rows: Select[Any] = select(
        *(_from_stage(dialect, table.c[name], stage.c[name]) for name in names), stamp, stamp
    ).where(true())  # without WHERE, SQLite parses ON CONFLICT as a join
    upsert = dialect.insert(table).from_select([*names, "first_seen_at", "last_changed_at"], rows)
    replaced = {name: upsert.excluded[name] for name in (*names, "last_changed_at") if name != "id"}
    connection.execute(upsert.on_conflict_do_update(index_elements=["id"], set_=replaced | {"deleted_at": None}))


def _soft_delete(connection: Connection, now: datetime) -> None:
    for entity in CHILDREN:
        table = TABLES[entity]
        missing_ids = select(TO_DELETE.c.id).where(TO_DELETE.c.entity == entity)
        connection.execute(update(table).where(table.c.id.in_(missing_ids)).values(deleted_at=now, last_changed_at=now))


def _restore(connection: Connection, now: datetime) -> None:
    """Clear `deleted_at` of restored records.

    This includes records older than their stored rows, and versions that are restored with their model.
    """
    for entity in CHILDREN:
        table = TABLES[entity]
        read = select(OBSERVED.c.id).where(OBSERVED.c.entity == entity, OBSERVED.c.outcome == Outcome.RESTORED)
        back = read.union_all(select(TO_RESTORE.c.id)) if entity is Entity.MODEL_VERSIONS else read
        connection.execute(
            update(table)
            .where(table.c.deleted_at.is_not(None), table.c.id.in_(back))
            .values(deleted_at=None, last_changed_at=now)
        )


def _supersede(connection: Connection, what: SupersedeMode, now: datetime) -> None:
    """Mark versions that runs no longer keep up to date, and clear the mark of those they do."""
    versions, models = TABLES["model_versions"], TABLES["models"]
    seen = select(OBSERVED.c.id).where(OBSERVED.c.entity == Entity.MODELS, OBSERVED.c.outcome != Outcome.REJECTED)
    of_seen = versions.c.model_id.in_(seen)
    if what is SupersedeMode.CHANGED:
        changed = seen.where(OBSERVED.c.outcome != Outcome.UNCHANGED)
        of_seen = versions.c.model_id.in_(changed.union(select(STAGES["model_versions"].c.model_id)))
    marked = versions.c.superseded_at.is_not(None)
    is_latest = exists().where(models.c.id == versions.c.model_id, models.c.latest_version_id == versions.c.id)
    clear = update(versions).values(superseded_at=None, last_changed_at=now)
    if what is SupersedeMode.CLEAR:
        read = select(OBSERVED.c.id).where(
            OBSERVED.c.entity == Entity.MODEL_VERSIONS, OBSERVED.c.outcome != Outcome.REJECTED
        )
        is_read = versions.c.id.in_(read) | versions.c.model_id.in_(select(VERSIONS_READ.c.model_id))
        connection.execute(clear.where(marked, is_read | versions.c.deleted_at.is_not(None)))
    elif what is not SupersedeMode.NOTHING:
        connection.execute(clear.where(marked, of_seen, is_latest))
        mark = update(versions).values(superseded_at=now, last_changed_at=now)
        connection.execute(mark.where(~marked, versions.c.deleted_at.is_(None), of_seen, ~is_latest))
        # The next run that can list versions reads all versions of these models.
        reads = TABLES["version_read_state"]
        superseded = select(versions.c.model_id).where(versions.c.superseded_at == now)
        connection.execute(delete(reads).where(reads.c.model_id.in_(superseded)))


def _unmark_read(connection: Connection, dialect: DatabaseDialect) -> None:
    """Unmark models that keep a version which was not read, if the run deleted nothing.

    The next run reads their versions again. In a first load, every stored version was read.
    """
    table, versions, version = TABLES["version_read_state"], TABLES["model_versions"], OBSERVED.alias()
    brought = exists().where(version.c.entity == Entity.MODEL_VERSIONS, version.c.id == versions.c.id)
    kept = select(versions.c.model_id).where(
        versions.c.deleted_at.is_(None), versions.c.model_id.in_(select(VERSIONS_READ.c.model_id)), ~brought
    )
    not_read = connection.scalars(
        delete(VERSIONS_READ).where(VERSIONS_READ.c.model_id.in_(kept)).returning(VERSIONS_READ.c.model_id)
    ).all()
    if not_read:
        connection.execute(delete(table).where(table.c.model_id.in_(select(dialect.ids(not_read).c.value))))


def _note_reads(connection: Connection, dialect: DatabaseDialect) -> None:
    """Record the models whose versions were all read."""
    table = TABLES["version_read_state"]
    still_unread = select(VERSIONS_INCOMPLETE.c.model_id).where(
        ~exists().where(VERSIONS_READ.c.model_id == VERSIONS_INCOMPLETE.c.model_id)
    )
    connection.execute(delete(table).where(table.c.model_id.in_(still_unread)))
    read = (
        select(OBSERVED.c.id, OBSERVED.c.change_hash)
        .join(VERSIONS_READ, VERSIONS_READ.c.model_id == OBSERVED.c.id)
        .where(OBSERVED.c.entity == Entity.MODELS, OBSERVED.c.change_hash.is_not(None))
    )
    upsert = dialect.insert(table).from_select(["model_id", "change_hash"], read)
    connection.execute(
        upsert.on_conflict_do_update(
            index_elements=["model_id"],
            set_={"change_hash": upsert.excluded.change_hash},
            where=table.c.change_hash != upsert.excluded.change_hash,
        )
    )


def _log_changes(connection: Connection, run_id: str, now: datetime, filled: Collection[str]) -> None:
    table, stage = TABLES["changes"], STAGES["changes"]
    of_run = (literal(run_id), literal(now, table.c.observed_at.type))
    of_record = ["entity", "entity_id", "kind"]
    sources: dict[str, tuple[list[str], Select[Any]]] = {
        "changes": ([column.name for column in stage.columns], select(*of_run, *stage.columns)),
        TO_DELETE.name: (of_record, select(*of_run, TO_DELETE.c.entity, TO_DELETE.c.id, literal("deleted"))),
        TO_RESTORE.name: (
            of_record,
            select(*of_run, literal(Entity.MODEL_VERSIONS.value), TO_RESTORE.c.id, literal("restored")),
        ),
    }
    for name, (columns, rows) in sources.items():
        if name in filled:
            connection.execute(insert(table).from_select(["run_id", "observed_at", *columns], rows))
