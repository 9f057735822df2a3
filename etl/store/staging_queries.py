"""The statements of the staging tables, each built once: to build one takes longer than to run it on few rows."""

from functools import cache
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Delete,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.schema import CreateTable

from etl.enums import Entity, Outcome
from etl.store.dialects.base import DatabaseDialect
from etl.store.staging_tables import (
    ALL,
    CHILDREN,
    NO_ID,
    NON_RECORD_COLUMNS,
    OBSERVED,
    STAGES,
    TABLES,
    TEMPORARY,
    VERSIONS_DUE,
    VERSIONS_INCOMPLETE,
    VERSIONS_READ,
    record_id,
)

CHUNK = 1000
"""The most ids that one query of a long list returns. Its parameter `last` is the last id of the query before."""


@cache
def create_tables(driver: str, schema: str) -> tuple[str, ...]:
    """Return the statements that create the temporary tables in their schema; `driver` as in a database URL."""
    dialect = URL.create(driver).get_dialect()()  # not the engine's, which the cache would keep with all that it holds
    options: dict[str, Any] = {"schema_translate_map": {TEMPORARY: schema}, "render_schema_translate": True}
    return tuple(str(CreateTable(table).compile(dialect=dialect, **options)) for table in ALL)


@cache
def known(dialect: DatabaseDialect, entity: Entity) -> Select[Any]:
    """Select the state of each id, stored and in this run."""
    table, read, wanted = TABLES[entity], TABLES["version_read_state"], dialect.ids()
    return (
        select(
            wanted.c.value,
            table.c.content_hash,
            table.c.get("updated_at", null()),
            _stored_at(entity),
            table.c.deleted_at.is_not(None) & table.c.id.is_not(None),
            table.c.get("is_derived", false()),
            OBSERVED.c.content_hash,
            OBSERVED.c.updated_at,
            read.c.change_hash,
        )
        .outerjoin_from(wanted, table, table.c.id == wanted.c.value)
        .outerjoin(OBSERVED, (OBSERVED.c.entity == entity) & (OBSERVED.c.id == wanted.c.value))
        .outerjoin(read, read.c.model_id == wanted.c.value)
    )


@cache
def stored(dialect: DatabaseDialect, name: str) -> Select[Any]:
    """Select the rows of the ids in a table, in key order, without columns that the store sets itself."""
    table, wanted = TABLES[name], dialect.ids()
    columns = [column for column in table.columns if column.name not in NON_RECORD_COLUMNS]
    return select(*columns).join_from(wanted, table, record_id(table) == wanted.c.value).order_by(*table.primary_key)


@cache
def mark(dialect: DatabaseDialect, table: Table) -> Insert:
    """Insert models into a table of marks. An id may be marked twice."""
    return dialect.insert(table).on_conflict_do_nothing()


@cache
def mark_seen_models(table: Table) -> Insert:
    """Mark every model that the run has read and that has an id. Also a rejected one has versions."""
    models = (OBSERVED.c.entity == Entity.MODELS) & ~OBSERVED.c.id.startswith(NO_ID)
    return table.insert().from_select(["model_id"], select(OBSERVED.c.id).where(models, _unmarked(table)))


@cache
def mark_due_incomplete() -> Insert:
    """Mark the due models that were not read."""
    marked = select(VERSIONS_INCOMPLETE.c.model_id).union_all(select(VERSIONS_READ.c.model_id))
    left = select(VERSIONS_DUE.c.model_id).where(VERSIONS_DUE.c.model_id.not_in(marked))
    return VERSIONS_INCOMPLETE.insert().from_select(["model_id"], left)


@cache
def mark_incomplete_without_latest() -> Insert:
    """Mark models whose latest version no list of versions has returned."""
    unmarked = _without_latest().where(_unmarked(VERSIONS_INCOMPLETE))
    return VERSIONS_INCOMPLETE.insert().from_select(["model_id"], unmarked)


@cache
def unmark_read_without_latest() -> Delete:
    """Unmark models whose latest version no list of versions has returned."""
    return delete(VERSIONS_READ).where(VERSIONS_READ.c.model_id.in_(_without_latest()))


@cache
def mark_rejected(dialect: DatabaseDialect) -> Update:
    """Note that not all versions of these models were stored."""
    return mark_all_rejected().where(VERSIONS_READ.c.model_id.in_(select(dialect.ids().c.value)))


@cache
def mark_all_rejected() -> Update:
    """Note that not all versions of any model were stored."""
    return update(VERSIONS_READ).values(all_stored=False)


@cache
def unmark_read(dialect: DatabaseDialect) -> Delete:
    """Unmark these models."""
    return delete(VERSIONS_READ).where(VERSIONS_READ.c.model_id.in_(select(dialect.ids().c.value)))


@cache
def one_lacking_latest() -> Select[Any]:
    """Select one model whose latest version the run should have read, and has not."""
    return _lacking_latest().limit(1)


@cache
def lacking_latest_among(dialect: DatabaseDialect) -> Select[Any]:
    """Select those of the ids that are models that lack their latest version, with it, and whether all were read."""
    wanted = dialect.ids()
    latest = _lacking_latest().add_columns(OBSERVED.c.latest_version_id, ~_unmarked(VERSIONS_READ))
    return latest.where(OBSERVED.c.id.in_(select(wanted.c.value)))  # with a join, SQLite would scan all models


@cache
def due_among(dialect: DatabaseDialect) -> Select[Any]:
    """Select those of the ids that are due models."""
    wanted = dialect.ids()
    return select(VERSIONS_DUE.c.model_id).join(wanted, VERSIONS_DUE.c.model_id == wanted.c.value)


@cache
def due() -> Select[Any]:
    """Select the next due models."""
    return _next(select(VERSIONS_DUE.c.model_id), VERSIONS_DUE.c.model_id)


@cache
def without_latest() -> Select[Any]:
    """Select the next models whose latest version no list of versions has returned."""
    return _next(_without_latest(), OBSERVED.c.id)


@cache
def seen_ids(entity: Entity) -> Select[Any]:
    """Select the ids of the next records that the run has read, except rejected ones."""
    seen = select(OBSERVED.c.id).where(OBSERVED.c.entity == entity, OBSERVED.c.outcome != Outcome.REJECTED)
    return _next(seen, OBSERVED.c.id)


@cache
def models_outside(dialect: DatabaseDialect) -> Select[Any]:
    """Select the next models that are in none of the ML repos with the ids, except rejected ones."""
    inside = OBSERVED.c.ml_repo_id.in_(select(dialect.ids().c.value))
    return seen_ids(Entity.MODELS).where(or_(OBSERVED.c.ml_repo_id.is_(None), ~inside))


@cache
def models_with_versions_outside(dialect: DatabaseDialect) -> Select[Any]:
    """Select the next models with a stored version that is unread and in none of the ML repos with the ids."""
    versions, version = TABLES[Entity.MODEL_VERSIONS], OBSERVED.alias()
    inside = versions.c.ml_repo_id.in_(select(dialect.ids().c.value))
    was_read = exists().where(version.c.entity == Entity.MODEL_VERSIONS, version.c.id == versions.c.id)
    outside = exists().where(
        versions.c.model_id == OBSERVED.c.id,
        versions.c.deleted_at.is_(None),
        or_(versions.c.ml_repo_id.is_(None), ~inside),
        ~was_read,
    )
    return seen_ids(Entity.MODELS).where(outside)


@cache
def count_seen(entity: Entity) -> Select[Any]:
    """Count the distinct records that the run has read."""
    return select(func.count()).select_from(OBSERVED).where(OBSERVED.c.entity == entity)


@cache
def count_due() -> Select[Any]:
    """Count the models that are due."""
    return select(func.count()).select_from(VERSIONS_DUE)


@cache
def forget(dialect: DatabaseDialect, entity: Entity) -> tuple[Delete, ...]:
    """Return the statements that remove the staged rows of the ids from an entity's tables."""
    wanted = select(dialect.ids().c.value)
    changes, rejected = STAGES["changes"], STAGES["rejected_records"]
    about = OBSERVED.c.id.in_(wanted) | OBSERVED.c.twin_of.in_(wanted)
    return (
        delete(OBSERVED).where(OBSERVED.c.entity == entity, about),
        delete(changes).where(changes.c.entity == entity, changes.c.entity_id.in_(wanted)),
        delete(rejected).where(rejected.c.entity == entity, rejected.c.record_id.in_(wanted)),
        *(delete(STAGES[name]).where(record_id(STAGES[name]).in_(wanted)) for name in (entity, *CHILDREN[entity])),
    )


def _stored_at(entity: Entity) -> ColumnElement[Any]:
    """Return since when the content is stored: a delete or `superseded_at` moves `last_changed_at` without a change."""
    table, changes = TABLES[entity], TABLES["changes"]
    marked = or_(*(table.c[name].is_not(None) for name in ("deleted_at", "superseded_at") if name in table.c))
    updated = (changes.c.entity == entity, changes.c.entity_id == table.c.id, changes.c.kind == "updated")
    last_update = select(func.max(changes.c.observed_at)).where(*updated).scalar_subquery()
    return case((marked, func.coalesce(last_update, table.c.first_seen_at)), else_=table.c.last_changed_at)


def _next(query: Select[Any], key: ColumnElement[str]) -> Select[Any]:
    return query.where(key > bindparam("last")).order_by(key).limit(CHUNK)


@cache
def _without_latest() -> Select[Any]:
    version = OBSERVED.alias()
    arrived = exists().where(
        (version.c.entity == Entity.MODEL_VERSIONS) & (version.c.id == OBSERVED.c.latest_version_id)
    )
    return select(OBSERVED.c.id).where(
        OBSERVED.c.entity == Entity.MODELS, OBSERVED.c.latest_version_id.is_not(None), ~arrived
    )


def _lacking_latest() -> Select[Any]:
    return _without_latest().where(or_(~_unmarked(VERSIONS_READ), ~_unmarked(VERSIONS_INCOMPLETE)))


def _unmarked(table: Table) -> ColumnElement[bool]:
    return ~exists().where(table.c.model_id == OBSERVED.c.id)
