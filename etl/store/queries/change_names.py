"""Join changes with the current names of their records.

A version that was created, deleted or restored together with its model has no row of its own in lists for people: its
model's row counts it. Programs get every row.
"""

from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    ScalarSelect,
    Select,
    Subquery,
    and_,
    case,
    distinct,
    func,
    or_,
    select,
    true,
)

from etl.changes import BOOKKEEPING, EMPTY_JSON, RECORD_KINDS
from etl.store.staging_tables import TABLES

_MODEL, _VERSION = "models", "model_versions"


class NameTables(NamedTuple):
    """The tables, or subqueries with some of their columns, that have the names."""

    versions: FromClause
    models: FromClause
    ml_repos: FromClause


STORED_TABLES = NameTables(TABLES[_VERSION], TABLES[_MODEL], TABLES["ml_repos"])


def with_model(changes: Subquery, sources: NameTables) -> CTE:
    """Add the id of its model to each change, and the number and fqn of its version."""
    versions = sources.versions
    is_version = and_(changes.c.entity == _VERSION, versions.c.id == changes.c.entity_id)
    model_id = case((changes.c.entity == _MODEL, changes.c.entity_id), else_=versions.c.model_id)
    return (
        select(changes, model_id.label("model_id"), versions.c.version, versions.c.fqn, versions.c.ml_repo_id)
        .outerjoin_from(changes, versions, is_version)
        .cte()
    )


def with_names(changes: CTE, sources: NameTables, *, every: bool) -> Select[Any]:
    """Return the fields of NamedChange: the newest run's changes first, and by name within a run.

    `every` includes the changes of bookkeeping fields and each version of a created, deleted or restored model.
    """
    models, repos = sources.models, sources.ml_repos
    of_model, parent, shared = _versions_of_models(changes), changes.alias(), _shared_names(models)
    is_repo, is_model = changes.c.entity == "ml_repos", changes.c.entity == _MODEL
    repo_id = case((is_repo, changes.c.entity_id), else_=func.coalesce(models.c.ml_repo_id, changes.c.ml_repo_id))
    query = (
        select(
            changes.c.run_id,
            changes.c.observed_at,
            changes.c.entity,
            changes.c.entity_id,
            changes.c.kind,
            changes.c.field,
            changes.c.old_value,
            changes.c.new_value,
            models.c.name.label("model"),
            changes.c.version,
            repos.c.name.label("ml_repo"),
            case((is_model, models.c.fqn), else_=changes.c.fqn).label("fqn"),
            shared.c.name.is_not(None).label("shares_name"),
            func.coalesce(of_model.c.versions, 0).label("versions"),
            _name_of_id(changes, changes.c.old_value, repos).label("old_name"),
            _name_of_id(changes, changes.c.new_value, repos).label("new_name"),
            changes.c.model_id,
        )
        .outerjoin_from(changes, models, models.c.id == changes.c.model_id)
        .outerjoin(repos, repos.c.id == repo_id)
        .outerjoin(shared, shared.c.name == models.c.name)
        .outerjoin(of_model, and_(is_model, _is_together(changes, of_model)))
        .outerjoin(parent, _is_parent(parent, changes))
        .where(true() if every else and_(~is_bookkeeping(changes), parent.c.entity.is_(None)))
    )
    # False sorts first: ML repos before models, and a model before its versions.
    newest_first = (changes.c.observed_at.desc(), changes.c.run_id)
    by_name = (~is_repo, models.c.name, repos.c.name, ~is_model, changes.c.version, changes.c.entity_id, changes.c.id)
    return query.order_by(*newest_first, *by_name)


def is_bookkeeping(changes: CTE) -> ColumnElement[bool]:
    """Whether lists for people leave a change out: see `etl.changes.is_left_out`."""
    field = func.coalesce(changes.c.field, "")
    old, new = (func.coalesce(value, "[]") for value in (changes.c.old_value, changes.c.new_value))
    is_same = and_(field.contains("."), *(value.in_(sorted(EMPTY_JSON)) for value in (old, new)))
    named = (and_(changes.c.entity == entity, field.in_(sorted(names))) for entity, names in BOOKKEEPING.items())
    return or_(is_same, *named)


def _versions_of_models(changes: CTE) -> Subquery:
    """Count the versions that one run created, deleted or restored, by model."""
    by = (changes.c.run_id, changes.c.kind, changes.c.model_id)
    of_versions = and_(changes.c.entity == _VERSION, changes.c.kind.in_(RECORD_KINDS))
    return select(*by, func.count().label("versions")).where(of_versions).group_by(*by).subquery()


def _is_parent(parent: FromClause, changes: CTE) -> ColumnElement[bool]:
    """Whether the first is the same change of the model whose version the second is about."""
    is_version = and_(changes.c.entity == _VERSION, parent.c.entity == _MODEL)
    return and_(is_version, changes.c.kind.in_(RECORD_KINDS), _is_together(changes, parent))


def _is_together(changes: CTE, other: FromClause) -> ColumnElement[bool]:
    return and_(*(other.c[name] == changes.c[name] for name in ("run_id", "kind", "model_id")))


def _shared_names(models: FromClause) -> Subquery:
    """Return the names that models of several ML repos have."""
    in_repos = func.count(distinct(models.c.ml_repo_id))
    return select(models.c.name).group_by(models.c.name).having(in_repos > 1).subquery()


def _name_of_id(changes: CTE, value: ColumnElement[str], ml_repos: FromClause) -> ColumnElement[str | None]:
    """Return the name of the record whose id is the old or new value of a field, if it is stored."""
    repos, subjects = ml_repos.alias(), TABLES["subjects"]
    creator = select(func.coalesce(subjects.c.display_name, subjects.c.slug)).where(subjects.c.id == value)
    repo = select(repos.c.name).where(repos.c.id == value)
    cases: list[tuple[ColumnElement[bool], ScalarSelect[Any]]] = [
        (changes.c.field == "ml_repo_id", repo.scalar_subquery()),
        (changes.c.field == "created_by_id", creator.scalar_subquery()),
    ]
    return case(*cases)
