"""What the pages of a model and of a version show: the record, its lists, its metrics and its changes.

The caller of each function has begun a transaction.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, Table, func, select

from etl.changes import NamedChange
from etl.models import views
from etl.store.queries import changes
from etl.store.queries.changes import ChangeFilter
from etl.store.runs import scope_that_dates
from etl.store.staging_tables import TABLES

Row = RowMapping

MAX_VERSIONS = 50
MAX_METRICS = 60
MAX_CHANGES = 40
MAX_PRODUCTION_PERIODS = 30
MAX_PACKAGES = 200
MAX_CHART_POINTS = 120
"""Values of a metric that a chart of one version draws: with more values, every n-th."""

_REPOS, _SUBJECTS, _MODELS, _VERSIONS = (TABLES[name] for name in ("ml_repos", "subjects", "models", "model_versions"))
_TAGS, _METRICS, _PACKAGES = (TABLES[f"model_version_{name}"] for name in ("tags", "metrics", "packages"))
_DIRECTIONS = TABLES["metric_directions"]
_IN_LIST = (
    "id",
    "version",
    "version_alias",
    "description",
    "framework_type",
    "artifact_size_bytes",
    "deployable",
    "created_by_id",
    "created_at",
    "deleted_at",
    "superseded_at",
)
_CREATOR = func.coalesce(_SUBJECTS.c.display_name, _SUBJECTS.c.slug)


class LastValue(NamedTuple):
    """The last value of a metric. `special` is NaN, Infinity or -Infinity if that was the value."""

    step: int | None
    value: float | None
    special: str | None


class Metric(NamedTuple):
    """A metric, with its finite values in the order of the versions or steps that they belong to.

    `better` is higher or lower; None if it is unknown which values are better. `last` is that of a version.
    """

    key: str
    better: str | None
    places: list[int | None]
    values: list[float]
    last: LastValue | None = None

    @property
    def change(self) -> float | None:
        """The change from the last but one value to the last, as a ratio; None if there is none."""
        before, last = self._last_two
        return None if not before else (last - before) / abs(before)

    @property
    def is_improvement(self) -> bool | None:
        """Whether the last value is better than the one before; None if that is unknown, or both are equal."""
        before, last = self._last_two
        if self.better is None or before is None or before == last:
            return None
        return (last > before) == (self.better == "higher")

    @property
    def _last_two(self) -> tuple[float | None, float]:
        return (self.values[-2], self.values[-1]) if len(self.values) > 1 else (None, 0.0)


class TruncatedList(NamedTuple):
    """The first entries of a list, and the number of all."""

    shown: Sequence[Any]
    total: int


class InProduction(NamedTuple):
    """A version in production, with the labels that say so; `row` has since when."""

    row: Row
    labels: Sequence[str]


class ModelPage(NamedTuple):
    """A model with its versions, the newest first. `tags` are by id of the version.

    `described` is the newest version that has a description.
    """

    model: Row
    described: Row | None
    versions: TruncatedList
    tags: Mapping[str, Sequence[str]]
    production: Sequence[InProduction]
    production_periods: TruncatedList
    metrics: TruncatedList
    changes: TruncatedList


class VersionPage(NamedTuple):
    """A version of a model. `compared` has the change of each metric since the previous version that has it."""

    version: Row
    earlier: Row | None
    later: Row | None
    tags: Sequence[str]
    production: Sequence[InProduction]
    production_periods: TruncatedList
    metrics: TruncatedList
    compared: Mapping[str, Row]
    packages: TruncatedList
    changes: TruncatedList


def model_page(connection: Connection, model_id: str) -> ModelPage | None:
    """Return what the page of a model shows; None if no model has the id."""
    model = _one(connection, _with_names(_MODELS).where(_MODELS.c.id == model_id))
    if model is None:
        return None
    versions = _versions(connection, model_id)
    ids = [each["id"] for each in versions.shown]
    return ModelPage(
        model=model,
        described=next((each for each in versions.shown if each["description"] and not each["deleted_at"]), None),
        versions=versions,
        tags=_tags(connection, ids),
        production=_production(connection, model_id),
        production_periods=_production_periods(connection, model_id),
        metrics=_metrics_by_version(connection, model_id),
        changes=_changes(connection, ChangeFilter(model_ids=[model_id])),
    )


def version_page(connection: Connection, version_id: str) -> VersionPage | None:
    """Return what the page of a version shows; None if no version has the id."""
    named = _with_names(_VERSIONS).add_columns(_MODELS.c.name.label("model_name"))
    query = named.outerjoin(_MODELS, _MODELS.c.id == _VERSIONS.c.model_id)
    version = _one(connection, query.where(_VERSIONS.c.id == version_id))
    if version is None:
        return None
    packages = select(_PACKAGES.c.requirement).where(_PACKAGES.c.model_version_id == version_id)
    return VersionPage(
        version=version,
        earlier=_neighbour(connection, version, later=False),
        later=_neighbour(connection, version, later=True),
        tags=_tags(connection, [version_id]).get(version_id, ()),
        production=_production(connection, version["model_id"], version_id),
        production_periods=_production_periods(connection, version["model_id"], version_id),
        metrics=_metrics_by_step(connection, version_id),
        compared=_compared(connection, version),
        packages=_truncated(connection, packages.order_by(_PACKAGES.c.position), MAX_PACKAGES),
        changes=_changes(connection, ChangeFilter(version_id=version_id)),
    )


def _with_names(table: Table, *names: str) -> Select[Any]:
    """Select these columns of a table, or all, and the names of the ML repo and the creator."""
    columns = [table.c[name] for name in names] or [*table.columns]
    return (
        select(*columns, _REPOS.c.name.label("ml_repo_name"), _CREATOR.label("created_by"))
        .outerjoin_from(table, _REPOS, _REPOS.c.id == table.c.ml_repo_id)
        .outerjoin(_SUBJECTS, _SUBJECTS.c.id == table.c.created_by_id)
    )


def _versions(connection: Connection, model_id: str) -> TruncatedList:
    query = _with_names(_VERSIONS, *_IN_LIST).where(_VERSIONS.c.model_id == model_id)
    return _truncated(connection, query.order_by(_VERSIONS.c.version.desc().nulls_last(), _VERSIONS.c.id), MAX_VERSIONS)


def _neighbour(connection: Connection, version: Row, *, later: bool) -> Row | None:
    """Return the next or the previous version of the model, by number."""
    number = _VERSIONS.c.version
    query = select(_VERSIONS.c.id, number).where(_VERSIONS.c.model_id == version["model_id"])
    beyond = number > version["version"] if later else number < version["version"]
    order = number.asc() if later else number.desc()
    return _one(connection, query.where(beyond, _VERSIONS.c.deleted_at.is_(None)).order_by(order).limit(1))


def _tags(connection: Connection, version_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    query = select(_TAGS.c.model_version_id, _TAGS.c.tag).where(_TAGS.c.model_version_id.in_(version_ids))
    found = defaultdict[str, list[str]](list)
    for version_id, tag in connection.execute(query.order_by(_TAGS.c.model_version_id, _TAGS.c.position)):
        found[version_id].append(tag)
    return found


def _production(connection: Connection, model_id: str, version_id: str | None = None) -> Sequence[InProduction]:
    view = views.production_versions
    order = (view.c.version.desc(), view.c.model_version_id, view.c.label_since_at, view.c.tag)
    rows = connection.execute(_of_model(view, model_id, version_id).order_by(*order)).mappings()
    grouped = [list(group) for _, group in groupby(rows, lambda row: row["model_version_id"])]
    return [InProduction(group[0], [row["tag"] for row in group]) for group in grouped]


def _production_periods(connection: Connection, model_id: str, version_id: str | None = None) -> TruncatedList:
    """Return each period in production, the newest first."""
    view = views.production_history
    order = (view.c.valid_from.desc(), view.c.version.desc(), view.c.model_version_id)
    return _truncated(connection, _of_model(view, model_id, version_id).order_by(*order), MAX_PRODUCTION_PERIODS)


def _of_model(view: Table, model_id: str, version_id: str | None) -> Select[Any]:
    """Select the rows of a model or of one of its versions; by the model, because the views begin with it."""
    query = select(view).where(view.c.model_id == model_id)
    return query if version_id is None else query.where(view.c.model_version_id == version_id)


def _metrics_by_version(connection: Connection, model_id: str) -> TruncatedList:
    """Return the last value of each metric at each version of the model."""
    last = views.latest_metrics.c
    query = (
        select(last.key, _VERSIONS.c.version, last.value)
        .join(_VERSIONS, _VERSIONS.c.id == last.model_version_id)
        .where(last.model_id == model_id, last.value.is_not(None))
    )
    shown, total = _by_key(connection, query.order_by(last.key, _VERSIONS.c.version, _VERSIONS.c.id))
    better = directions(connection, [key for key, _ in shown])
    found = [Metric(key, better.get(key), [row[1] for row in rows], [row[2] for row in rows]) for key, rows in shown]
    return TruncatedList(found, total)


def _metrics_by_step(connection: Connection, version_id: str) -> TruncatedList:
    """Return the values of each metric of a version, or every n-th of them; the last value is always there."""
    key = _METRICS.c.key
    order = (_METRICS.c.step.nulls_first(), _METRICS.c.timestamp_ms.nulls_first(), _METRICS.c.position)
    ranked = (
        select(
            key,
            _METRICS.c.step,
            _METRICS.c.value,
            _METRICS.c.value_special,
            func.row_number().over(partition_by=key, order_by=order).label("place"),
            func.count().over(partition_by=key).label("total"),
        )
        .where(_METRICS.c.model_version_id == version_id)
        .subquery()
    )
    place, total = ranked.c.place, ranked.c.total
    is_drawn = (total <= MAX_CHART_POINTS) | (
        place * MAX_CHART_POINTS // total != (place - 1) * MAX_CHART_POINTS // total
    )
    query = select(ranked.c.key, ranked.c.step, ranked.c.value, ranked.c.value_special).where(is_drawn)
    shown, metrics = _by_key(connection, query.order_by(ranked.c.key, place))
    better = directions(connection, [name for name, _ in shown])
    found = []
    for name, rows in shown:
        finite = [row for row in rows if row[2] is not None]
        values = [row[1] for row in finite], [row[2] for row in finite]
        found.append(Metric(name, better.get(name), *values, LastValue(*rows[-1][1:])))
    return TruncatedList(found, metrics)


def _by_key(connection: Connection, query: Select[Any]) -> tuple[Sequence[tuple[str, Sequence[Any]]], int]:
    """Return the rows of the first metrics, by the key of each, and the number of all metrics."""
    rows = connection.execute(query).all()
    by_key = [(key, list(group)) for key, group in groupby(rows, lambda row: row[0])]
    return by_key[:MAX_METRICS], len(by_key)


def directions(connection: Connection, keys: Sequence[str]) -> Mapping[str, str | None]:
    """Return by metric whether higher or lower values are better; None if that is unknown."""
    query = select(_DIRECTIONS.c.key, _DIRECTIONS.c.better).where(_DIRECTIONS.c.key.in_(keys))
    return {row[0]: row[1] for row in connection.execute(query)}


def _compared(connection: Connection, version: Row) -> Mapping[str, Row]:
    view = views.metric_changes
    query = select(view).where(view.c.model_id == version["model_id"], view.c.to_version == version["version"])
    return {row["key"]: row for row in connection.execute(query).mappings()}


def _changes(connection: Connection, chosen: ChangeFilter) -> TruncatedList:
    found = list(changes.recorded(connection, chosen, limit=MAX_CHANGES))
    is_all = len(found) < MAX_CHANGES
    return TruncatedList(found, len(found) if is_all else changes.count(connection, chosen).shown)


def _truncated(connection: Connection, query: Select[Any], limit: int) -> TruncatedList:
    rows = connection.execute(query.add_columns(func.count().over().label("of_all")).limit(limit)).mappings().all()
    return TruncatedList(rows, rows[0]["of_all"] if rows else 0)


def _one(connection: Connection, query: Select[Any]) -> Row | None:
    return connection.execute(query).mappings().first()


class Overview(NamedTuple):
    """The state of the copy, and the newest changes.

    `scope` is the one whose last complete run dates the tables; None before the first complete run.
    """

    scope: Row | None
    ml_repos: int
    latest: Sequence[NamedChange]


def overview(connection: Connection, changes_shown: int) -> Overview:
    """Return what the start page shows: the newest changes are those of the last run that recorded any."""
    recorded = TABLES["changes"]
    last = connection.scalar(select(recorded.c.run_id).order_by(recorded.c.id.desc()).limit(1))
    newest = changes.recorded(connection, ChangeFilter(run_id=last), limit=changes_shown) if last else ()
    return Overview(
        scope=scope_that_dates(connection.execute(select(views.sync_freshness)).mappings()),
        ml_repos=connection.scalar(select(func.count()).where(_REPOS.c.deleted_at.is_(None))) or 0,
        latest=list(newest),
    )
