"""The queries of the report: counts, distributions and lists, mostly from the views.

Call the functions within the transaction of `one_moment`, so that all of them read the same state.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, case, distinct, func, literal, select

from etl.enums import WROTE
from etl.models import Change, MlRepo, Model, ModelVersion, RejectedRecord, SyncRun, SyncRunCount, views
from etl.store.queries.export import snapshot
from etl.store.store import open_readonly

Row = dict[str, Any]

_IDS = 900  # ids in one statement: fewer than the parameters that every SQLite accepts
_VERSIONS = func.count().label("versions")
_WRITTEN = ("inserted", "updated", "deleted", "restored")


class TopRows(NamedTuple):
    """The first rows of a list, and the total number of rows."""

    rows: list[Row]
    total: int


class Production(NamedTuple):
    """The first entries of the list, counts of all entries, and versions by Python as written."""

    part: TopRows
    counts: Row
    pythons: dict[str, int]


@contextmanager
def one_moment(url: str) -> Iterator[Connection]:
    """Begin a transaction in which every query sees the same state, even while runs commit.

    ConfigError if the database does not exist.
    """
    with open_readonly(url) as connection, snapshot(connection):
        yield connection


def counts(connection: Connection) -> Row:
    """Return the current totals, and the start of the first recorded run."""
    looks = {
        of.__tablename__: select(func.count()).select_from(of).where(of.deleted_at.is_(None)).scalar_subquery()
        for of in (MlRepo, Model, ModelVersion)
    }
    storage = views.storage_by_ml_repo.c
    looks["bytes"] = select(func.sum(storage.artifact_size_bytes)).scalar_subquery()
    looks["without_size"] = select(func.sum(storage.versions_without_size)).scalar_subquery()
    looks["open_rejects"] = select(func.count()).where(RejectedRecord.resolved_at.is_(None)).scalar_subquery()
    looks["first_run_at"] = select(func.min(SyncRun.started_at)).scalar_subquery()
    return _rows(connection, select(*(look.label(name) for name, look in looks.items())))[0]


def tenant(connection: Connection) -> str | None:
    """Return the tenant if all ML repos have the same; else None."""
    query = select(MlRepo.tenant_name.label("name")).where(MlRepo.deleted_at.is_(None)).distinct().limit(2)
    names = [row["name"] for row in _rows(connection, query)]
    return names[0] if len(names) == 1 else None


def last_runs(connection: Connection, limit: int) -> list[Row]:
    """Return the newest runs, each with its number of changed rows and rejected records."""
    counted = (
        select(
            SyncRunCount.run_id,
            func.sum(sum((getattr(SyncRunCount, name) for name in _WRITTEN), start=0)).label("changed"),
            func.sum(SyncRunCount.rejected).label("rejected"),
        )
        .group_by(SyncRunCount.run_id)
        .subquery()
    )
    query = (
        select(*SyncRun.__table__.columns, counted.c.changed, counted.c.rejected)
        .outerjoin(counted, counted.c.run_id == SyncRun.id)
        .order_by(SyncRun.started_at.desc(), SyncRun.id)
    )
    return _rows(connection, query.limit(limit))


def last_written(connection: Connection) -> Row | None:
    """Return the id and the start of the newest run that wrote."""
    wrote = SyncRun.status.in_(WROTE)
    query = select(SyncRun.id, SyncRun.started_at).where(wrote).order_by(SyncRun.started_at.desc(), SyncRun.id)
    return next(iter(_rows(connection, query.limit(1))), None)


def freshness(connection: Connection) -> list[Row]:
    """Return the age of each scope, the freshest first."""
    return _rows(connection, select(views.sync_freshness).order_by(views.sync_freshness.c.age_seconds))


def changed_in_run(connection: Connection, run_id: str) -> dict[tuple[str, str], int]:
    """Count the records that a run found changed, by table and kind of change.

    For tags, count the tags that were added and removed.
    """
    return _changed(connection, Change.run_id == run_id)


def changed_since(connection: Connection, moment: datetime) -> dict[tuple[str, str], int]:
    """Count like `changed_in_run`, over all runs since a moment."""
    return _changed(connection, Change.observed_at >= moment)


def _changed(connection: Connection, which: ColumnElement[bool]) -> dict[tuple[str, str], int]:
    of_tags = Change.kind.in_(("tag_added", "tag_removed"))
    query = (
        select(
            Change.entity,
            Change.kind,
            case((of_tags, func.count()), else_=func.count(distinct(Change.entity_id))).label("number"),
        )
        # A new `updated_at` alone is not a change worth reporting.
        .where(which, func.coalesce(Change.field, "") != "updated_at")
        .group_by(Change.entity, Change.kind)
    )
    return {(row["entity"], row["kind"]): row["number"] for row in _rows(connection, query)}


def newest_changes(connection: Connection, limit: int) -> TopRows:
    """Return the newest changes of models and versions, without changes of `updated_at`."""
    view = views.model_timeline
    query = select(view).where(func.coalesce(view.c.field, "") != "updated_at")
    return _part(connection, query.order_by(view.c.observed_at.desc(), view.c.entity_id, view.c.field), limit)


def growth(connection: Connection) -> list[Row]:
    """Return the live models and versions by their day of creation, where that is known."""
    view = views.growth
    sums = (func.sum(view.c[name]).label(name) for name in ("models_created", "versions_created"))
    return _rows(connection, select(view.c.day, *sums).group_by(view.c.day).order_by(view.c.day))


def ml_repos(connection: Connection, limit: int) -> TopRows:
    """Return the ML repos with their contents, those with the most models first."""
    view = views.storage_by_ml_repo
    return _part(connection, select(view).order_by(view.c.models.desc(), view.c.ml_repo_name), limit)


def frameworks(connection: Connection) -> list[Row]:
    """Count models and versions by framework; models without versions count under None."""
    # Not from `inventory`, which also groups by creator. A model without a creator is in one group for each creator of
    # its versions, so that it would count several times.
    version = (ModelVersion.model_id == Model.id) & ModelVersion.deleted_at.is_(None)
    versions = func.count(ModelVersion.id).label("versions")
    query = (
        select(ModelVersion.framework_type.label("name"), func.count(distinct(Model.id)).label("models"), versions)
        .outerjoin_from(Model, ModelVersion, version)
        .where(Model.deleted_at.is_(None))
        .group_by(ModelVersion.framework_type)
    )
    return _by_size(connection, query)


def base_models(connection: Connection) -> list[Row]:
    """Count models and versions by base model."""
    view = views.base_model_usage
    return _by_size(connection, select(view.c.base_model.label("name"), view.c.models, view.c.versions))


def pythons(connection: Connection) -> list[Row]:
    """Count models and versions by Python's minor version."""
    usage = views.python_usage.c
    query = (
        # Count a model only once if it has versions on 3.11.2 and on 3.11.9.
        select(usage.minor.label("name"), func.count(distinct(ModelVersion.model_id)).label("models"), _VERSIONS)
        .join(ModelVersion, (ModelVersion.python_version == usage.python_version) & ModelVersion.deleted_at.is_(None))
        .group_by(usage.minor)
    )
    return _by_size(connection, query)


def packages(connection: Connection) -> list[Row]:
    """Count models and versions by the package that they require."""
    usage = views.package_usage.c
    versions = func.count(distinct(usage.model_version_id)).label("versions")
    query = select(usage.name, func.count(distinct(usage.model_id)).label("models"), versions)
    return _by_size(connection, query.where(usage.name.is_not(None)).group_by(usage.name))


def production(connection: Connection, since: datetime, limit: int) -> Production:
    """Return the versions in production, the latest to enter it first.

    `entered` counts those that entered production at or after `since`, and are still there.
    """
    view = views.production_versions
    order = (view.c.since_at.desc().nulls_last(), view.c.ml_repo_name, view.c.model_name, view.c.version.desc())
    rows, entries, models, entered = list[Row](), 0, set[str](), set[str]()
    versions = dict[str, tuple[str | None, bool]]()
    # Read all rows in one pass, because finding them costs more than counting them.
    for row in connection.execute(select(view).order_by(*order, view.c.tag)).mappings():
        rows += [dict(row)] if entries < limit else []
        entries += 1
        models.add(row["model_id"])
        versions[row["model_version_id"]] = row["python_version"], row["deployable"] is False
        if row["since_at"] >= since and row["since_is_exact"]:
            entered.add(row["model_version_id"])
    counts = {
        "versions": len(versions),
        "models": len(models),
        "entered": len(entered),
        "not_deployable": sum(unfit for _python, unfit in versions.values()),
    }
    return Production(TopRows(rows, entries), counts, Counter(python for python, _unfit in versions.values() if python))


def metrics_over_versions(connection: Connection, model_ids: Sequence[str], versions: int) -> list[Row]:
    """Return the last value of each metric of these models' newest versions.

    `versions` is the number of versions of each model. The rows are in the order of model, metric and version.
    """
    place = func.row_number().over(partition_by=ModelVersion.model_id, order_by=ModelVersion.version.desc())
    ranked = (
        select(ModelVersion.id, ModelVersion.model_id, ModelVersion.version, place.label("place"))
        .where(ModelVersion.model_id.in_(model_ids))
        .where(ModelVersion.deleted_at.is_(None), ModelVersion.version.is_not(None))
        .subquery()
    )
    found = _rows(
        connection, select(ranked.c.id, ranked.c.model_id, ranked.c.version).where(ranked.c.place <= versions)
    )
    by_id = {row["id"]: row for row in found}
    metric = views.latest_metrics.c
    values = list[Row]()
    # With a list of ids, the database ranks the metrics of these versions only.
    for start in range(0, len(by_id), _IDS):
        ids = list(by_id)[start : start + _IDS]
        query = select(metric.model_version_id, metric.key, metric.value).where(metric.model_version_id.in_(ids))
        values += _rows(connection, query.where(metric.value.is_not(None)))
    rows = [by_id[row["model_version_id"]] | {"key": row["key"], "value": row["value"]} for row in values]
    return sorted(rows, key=lambda row: (row["model_id"], row["key"], row["version"], row["id"]))


def stale(connection: Connection, days: float, limit: int) -> TopRows:
    """Return models without a new version for `days` days, the oldest first.

    Models without any version are left out.
    """
    view = views.model_activity
    age = view.c.days_since_last_version
    return _part(connection, select(view).where(age > days).order_by(age.desc(), view.c.model_name), limit)


def undocumented_counts(connection: Connection) -> Row:
    """Count models without a description, a creator, tags, or any version."""
    view = views.undocumented_models.c
    lacks = {"description": ~view.has_description, "creator": ~view.has_creator, "tags": ~view.has_tags}
    sums = {name: func.coalesce(func.sum(case((lack, 1), else_=0)), 0) for name, lack in lacks.items()}
    sums["empty"] = func.coalesce(func.sum(case((view.is_empty, 1), else_=0)), 0)
    return _rows(connection, select(*(number.label(name) for name, number in sums.items())))[0]


def undocumented(connection: Connection, limit: int) -> TopRows:
    """Return models without a description, a creator or tags, those that lack the most first."""
    view = views.undocumented_models
    has = sum((case((view.c[name], 1), else_=0) for name in ("has_description", "has_creator", "has_tags")), literal(0))
    return _part(connection, select(view).order_by(has, view.c.ml_repo_name, view.c.model_name), limit)


def _by_size(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[Row]:
    found = query.subquery()
    return _rows(connection, select(found).order_by(found.c.models.desc(), found.c.versions.desc(), found.c.name))


def _part(connection: Connection, query: Select[*tuple[Any, ...]], limit: int) -> TopRows:
    rows = _rows(connection, query.add_columns(func.count().over().label("of_all")).limit(limit))
    return TopRows(rows, rows[0]["of_all"] if rows else 0)


def _rows(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[Row]:
    # PostgreSQL returns sums of integers as decimals.
    return [
        {name: int(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        for row in connection.execute(query).mappings()
    ]
