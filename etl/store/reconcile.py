"""Compare staging with the tables: which records to delete and restore, and the counts.

This module reads the database and fills temporary tables. The merge applies them; a dry run only prints the counts.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Insert,
    Integer,
    Select,
    Table,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
)

from etl.enums import Entity, Outcome
from etl.errors import DeleteLimitExceeded
from etl.setting_names import name_of
from etl.store.repo_scope import RepoScope
from etl.store.staging_tables import CHILDREN, OBSERVED, STAGES, TABLES, TO_DELETE, TO_RESTORE, VERSIONS_READ

_MOST_NAMED = 5
_NOUNS = {Entity.ML_REPOS: "ML repos", Entity.MODELS: "models", Entity.MODEL_VERSIONS: "versions"}


_COUNT_RESTORED = select(func.count()).select_from(TO_RESTORE)


class EmptiedRepo(NamedTuple):
    """An ML repo whose models are all missing; `listed`: the ML repo itself is not missing."""

    id: str
    name: str | None
    models: int
    listed: bool


class Tally(NamedTuple):
    """The counts of one table's records in a run, by outcome."""

    seen: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    restored: int = 0
    rejected: int = 0


def find_missing(
    connection: Connection, repos: RepoScope, *, every_version_read: bool, spare: Collection[Entity] = ()
) -> int:
    """Note records of the ML repos that the source no longer has, and return their number.

    Call it only for a complete run. A version is missing if its model is missing, or if all versions of its model were
    read without it. A version whose model is not listed is missing if every version was read. `spare` names tables in
    which nothing may be deleted: a rejected record without an id may be any of their records.
    """
    found = 0
    with connection.begin():
        for entity in CHILDREN:
            if entity not in spare:
                found += connection.execute(
                    _insert_missing(entity, repos, every_version_read=every_version_read)
                ).rowcount
    return found


@lru_cache
def _insert_missing(entity: Entity, repos: RepoScope, *, every_version_read: bool) -> Insert:
    table, model = TABLES[entity], OBSERVED.alias()
    missing = select(literal(entity.value), table.c.id).where(live_or_moving_in(table, repos), ~_was_seen(table))
    if entity is Entity.ML_REPOS:  # a derived one was never listed, so its absence from the list means nothing
        missing = missing.where(~table.c.is_derived)
    if entity is Entity.MODEL_VERSIONS:
        missing_models = select(TO_DELETE.c.id).where(TO_DELETE.c.entity == Entity.MODELS)
        decided = table.c.model_id.in_(missing_models.union_all(select(VERSIONS_READ.c.model_id)))
        orphaned = ~exists().where((model.c.entity == Entity.MODELS) & (model.c.id == table.c.model_id))
        if not repos.is_all:  # a version may name another ML repo than its model's
            models = TABLES[Entity.MODELS]
            outside = models.c.deleted_at.is_(None), ~repos.contains(models.c.ml_repo_id)
            orphaned &= ~exists().where(models.c.id == table.c.model_id, *outside)
        missing = missing.where(or_(decided, orphaned) if every_version_read else decided)
    return insert(TO_DELETE).from_select(["entity", "id"], missing).execution_options(preserve_rowcount=True)


def missing_ids(connection: Connection, entity: Entity, limit: int) -> list[str]:
    """Return the first ids that `find_missing` found for a table, without versions of missing models."""
    with connection.begin():
        return list(connection.scalars(_missing_ids(entity), {"limit": limit}))


@cache
def _missing_ids(entity: Entity) -> Select[Any]:
    missing = select(TO_DELETE.c.id).where(TO_DELETE.c.entity == entity).order_by(TO_DELETE.c.id)
    if entity is Entity.MODEL_VERSIONS:
        versions, model = TABLES[entity], TO_DELETE.alias()
        has_missing_model = exists().where(model.c.entity == Entity.MODELS, model.c.id == versions.c.model_id)
        missing = missing.join(versions, versions.c.id == TO_DELETE.c.id).where(~has_missing_model)
    return missing.limit(bindparam("limit", type_=Integer))


def cancel_deletes(connection: Connection, entity: Entity, ids: Sequence[str]) -> None:
    """Cancel the deletes of these records, and of the versions of these models."""
    of_these = (TO_DELETE.c.entity == entity) & TO_DELETE.c.id.in_(ids)
    if entity is Entity.MODELS:
        versions = TABLES[Entity.MODEL_VERSIONS]
        theirs = select(versions.c.id).where(versions.c.model_id.in_(ids))
        of_these |= (TO_DELETE.c.entity == Entity.MODEL_VERSIONS) & TO_DELETE.c.id.in_(theirs)
    with connection.begin():
        connection.execute(delete(TO_DELETE).where(of_these))


def cancel_all_deletes(connection: Connection) -> None:
    """Cancel all deletes."""
    with connection.begin():
        connection.execute(delete(TO_DELETE))


def unlisted_models(connection: Connection, repos: RepoScope, *, since: datetime | None, most: int) -> list[str]:
    """Return models that are neither stored nor read, of live versions that were first seen at `since` or later."""
    with connection.begin():
        parameters = {"most": most} if since is None else {"most": most, "since": since}
        return list(connection.scalars(_unlisted_models(repos, only_recent=since is not None), parameters))


@lru_cache
def _unlisted_models(repos: RepoScope, *, only_recent: bool) -> Select[Any]:
    models, versions, seen = TABLES[Entity.MODELS], TABLES[Entity.MODEL_VERSIONS], OBSERVED.alias()
    is_stored = exists().where(models.c.id == versions.c.model_id, models.c.deleted_at.is_(None))
    # The index alone answers this: nearly every version has a stored model.
    unstored = select(versions.c.model_id).distinct().where(versions.c.model_id.is_not(None), ~is_stored).subquery()
    recent = [live_in(versions, repos), versions.c.model_id == unstored.c.model_id]
    if only_recent:
        recent.append(versions.c.first_seen_at >= bindparam("since"))
    is_read = exists().where(seen.c.entity == Entity.MODELS, seen.c.id == unstored.c.model_id)
    query = select(unstored.c.model_id).where(exists().where(*recent), ~is_read).order_by(unstored.c.model_id)
    return query.limit(bindparam("most", type_=Integer))


def emptied_repos(connection: Connection) -> list[EmptiedRepo]:
    """Return the ML repos that lose all of their models, the largest first.

    A lost permission of the token has the same effect.
    """
    with connection.begin():
        if connection.scalar(_any_missing_model()) is None:
            return []  # most runs delete nothing: skip the count
        return [EmptiedRepo(*row) for row in connection.execute(_emptied_repos())]


@cache
def _any_missing_model() -> Select[Any]:
    return select(TO_DELETE.c.id).where(TO_DELETE.c.entity == Entity.MODELS).limit(1)


@cache
def _emptied_repos() -> Select[Any]:
    models, repos = TABLES[Entity.MODELS], TABLES[Entity.ML_REPOS]
    goes = exists().where((TO_DELETE.c.entity == Entity.MODELS) & (TO_DELETE.c.id == models.c.id))
    listed = exists().where((OBSERVED.c.entity == Entity.ML_REPOS) & (OBSERVED.c.id == models.c.ml_repo_id))
    live = (
        select(models.c.ml_repo_id, repos.c.name, func.count().label("models"), listed)
        .outerjoin(repos, repos.c.id == models.c.ml_repo_id)
        .where(models.c.deleted_at.is_(None), models.c.ml_repo_id.is_not(None))
        .group_by(models.c.ml_repo_id, repos.c.name)
    )
    return live.having(func.count() == func.count(case((goes, 1)))).order_by(func.count().desc(), models.c.ml_repo_id)


def find_restored(connection: Connection) -> None:
    """Note versions that were deleted together with a model which this run restores.

    Skip models whose versions were all read: the versions that were read are the ones that exist.
    """
    with connection.begin():
        connection.execute(insert_restored())


@cache
def insert_restored() -> Insert:
    """Note versions as `find_restored` does, unless they are noted already."""
    models, versions = TABLES[Entity.MODELS], TABLES[Entity.MODEL_VERSIONS]
    back = (
        select(versions.c.id)
        .join(models, (models.c.id == versions.c.model_id) & (models.c.deleted_at == versions.c.deleted_at))
        .join(
            OBSERVED,
            (OBSERVED.c.entity == Entity.MODELS)
            & (OBSERVED.c.outcome == Outcome.RESTORED)
            & (OBSERVED.c.id == models.c.id),
        )
        .where(
            ~_was_seen(versions),
            ~exists().where(VERSIONS_READ.c.model_id == models.c.id),
            ~exists().where(TO_RESTORE.c.id == versions.c.id),
        )
    )
    return insert(TO_RESTORE).from_select(["id"], back)


def tallies(connection: Connection) -> dict[Entity, Tally]:
    """Return the counts of the run so far, by table."""
    with connection.begin():
        outcomes = _counts(connection, OBSERVED.c.entity, OBSERVED.c.outcome)
        deletes = _counts(connection, TO_DELETE.c.entity)
        restores = connection.scalar(_COUNT_RESTORED) or 0
    return {
        entity: Tally(
            seen=sum(number for key, number in outcomes.items() if key[0] == entity),
            inserted=outcomes.get((entity, Outcome.INSERTED), 0),
            updated=outcomes.get((entity, Outcome.UPDATED), 0),
            unchanged=outcomes.get((entity, Outcome.UNCHANGED), 0),
            deleted=deletes.get((entity,), 0),
            restored=outcomes.get((entity, Outcome.RESTORED), 0) + (restores if entity is Entity.MODEL_VERSIONS else 0),
            rejected=outcomes.get((entity, Outcome.REJECTED), 0),
        )
        for entity in CHILDREN
    }


def check_delete_limit(
    connection: Connection, tallies: Mapping[Entity, Tally], repos: RepoScope, max_share: float
) -> None:
    """Raise DeleteLimitExceeded if the run would delete more than `max_share` of a table's live rows."""
    for entity, tally in tallies.items():
        if not tally.deleted:
            continue
        table = TABLES[entity]
        live_here = select(func.count()).select_from(table).where(live_or_moving_in(table, repos))
        with connection.begin():
            live = connection.scalar(live_here) or tally.deleted
        # Compare the quotient, because 0.29 * 100 is slightly less than 29.
        if tally.deleted / live > max_share:
            missing = f"{_NOUNS[entity]} {'is' if tally.deleted == 1 else 'are'} missing at the source"
            raise DeleteLimitExceeded(
                f"{tally.deleted} of {live} {missing}, more than {max_share:.0%} at once: "
                f"nothing was written. {_named(emptied_repos(connection))}If that is right, run again with "
                f"{name_of('allow_mass_delete')}; otherwise check the token's permissions."
            )


def _named(lost: Sequence[EmptiedRepo]) -> str:
    """Name the first few ML repos that would lose every model."""
    if not lost:
        return ""
    more = f" and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
    names = ", ".join(f"{each.id} ({each.name or 'without a name'})" for each in lost[:_MOST_NAMED])
    return f"All models of ML repo {names}{more} are missing. "


def _was_seen(table: Table) -> ColumnElement[bool]:
    seen = OBSERVED.alias()  # without the alias it would refer to OBSERVED of the enclosing query
    return exists().where(seen.c.entity == table.name, seen.c.id == table.c.id)


def live_in(table: Table, repos: RepoScope) -> ColumnElement[bool]:
    """Whether a registry row is live and in the ML repos."""
    within = repos.contains(table.c.id if table.name == Entity.ML_REPOS else table.c.ml_repo_id)
    if table.name == Entity.MODEL_VERSIONS:  # a version without an ML repo is in its model's
        models = TABLES[Entity.MODELS]
        within |= table.c.model_id.in_(select(models.c.id).where(repos.contains(models.c.ml_repo_id)))
    return table.c.deleted_at.is_(None) & within


def live_or_moving_in(table: Table, repos: RepoScope) -> ColumnElement[bool]:
    """Whether a registry row is live, and in the ML repos or a version of a model that this run moves into them."""
    within = live_in(table, repos)
    if table.name == Entity.MODEL_VERSIONS and not repos.is_all:
        moving = table.c.model_id.in_(select(STAGES[Entity.MODELS].c.id))
        within |= table.c.deleted_at.is_(None) & moving
    return within


def _counts(connection: Connection, *by: Column[Any]) -> dict[tuple[Any, ...], int]:
    return {tuple(row[:-1]): row[-1] for row in connection.execute(_count_by(*by))}


@cache
def _count_by(*by: Column[Any]) -> Select[Any]:
    return select(*by, func.count()).group_by(*by)
