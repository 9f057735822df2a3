"""Metrics over versions."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, or_, select

from etl.models import ModelVersion, views
from etl.store.engine import dialect_of
from etl.store.queries.report.rows import Row, fetch, stream

_IDS = 900  # ids in one statement: fewer than the parameters that every SQLite accepts


def newest_changes(connection: Connection, model_ids: Sequence[str]) -> Iterator[Row]:
    """Yield the comparison of each metric of the newest version that has it with the version before.

    Of the models with these ids, yield those of all versions.
    """
    view = views.metric_changes
    newest = func.max(view.c.to_version).over(partition_by=(view.c.model_id, view.c.key))
    changes = select(view, (view.c.to_version == newest).label("is_newest")).subquery()
    wanted = select(dialect_of(connection.engine.url).ids(model_ids).c.value)
    return stream(connection, select(changes).where(or_(changes.c.is_newest, changes.c.model_id.in_(wanted))))


def over_versions(connection: Connection, model_ids: Sequence[str], versions: int) -> list[Row]:
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
    newest = select(ranked.c.id, ranked.c.model_id, ranked.c.version).where(ranked.c.place <= versions)
    by_id = {row["id"]: row for row in fetch(connection, newest)}
    metric = views.latest_metrics.c
    values = list[Row]()
    # With a list of ids, the database ranks the metrics of these versions only.
    for start in range(0, len(by_id), _IDS):
        ids = list(by_id)[start : start + _IDS]
        query = select(metric.model_version_id, metric.key, metric.value).where(metric.model_version_id.in_(ids))
        values += fetch(connection, query.where(metric.value.is_not(None)))
    rows = [by_id[row["model_version_id"]] | {"key": row["key"], "value": row["value"]} for row in values]
    return sorted(rows, key=lambda row: (row["model_id"], row["key"], row["version"], row["id"]))
