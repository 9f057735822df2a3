"""Records that began and ended, and changes of tags, by day.

A record begins at its creation. If the source does not say when that was, or says a later time than that of the first
copy, it begins when it was first copied. It ends when a run found it deleted. Deleted records stay in the tables, so
they count in the past.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Select, case, func, literal, select, union_all

from etl.models import Change, Model, ModelVersion
from etl.store.engine import dialect_of
from etl.store.queries.report.rows import Row, fetch

_ENTITIES = (Model, ModelVersion)


def records_by_day(connection: Connection) -> list[Row]:
    """Return the number of models and versions that were created, deleted and restored, by table and day."""
    day_of = dialect_of(connection.engine.url).day_of
    events = [
        *(_event(literal(of.__tablename__), day_of(_begin(of)), created=1) for of in _ENTITIES),
        *(
            _event(literal(of.__tablename__), day_of(of.deleted_at), deleted=1).where(of.deleted_at.is_not(None))
            for of in _ENTITIES
        ),
        *_absences(day_of),
    ]
    named = union_all(*events).subquery().alias("events")
    entity, day, created, deleted, restored = named.columns
    sums = {"created": created, "deleted": deleted, "restored": restored}
    query = (
        select(entity.label("entity"), day.label("day"), *(func.sum(each).label(name) for name, each in sums.items()))
        .group_by(entity, day)
        .order_by(day, entity)
    )
    return fetch(connection, query)


def tags_by_day(connection: Connection, since: datetime) -> list[Row]:
    """Return the number of tags that were added and removed, by the day of the run that found it."""
    day = dialect_of(connection.engine.url).day_of(Change.observed_at).label("day")
    is_tag = Change.kind.in_(("tag_added", "tag_removed"))
    query = select(day, func.count().label("number")).where(is_tag, Change.observed_at >= since)
    return fetch(connection, query.group_by(day).order_by(day))


def _event(
    entity: Any, day: ColumnElement[str], *, created: int = 0, deleted: int = 0, restored: int = 0
) -> Select[*tuple[Any, ...]]:
    return select(entity, day, *(literal(each) for each in (created, deleted, restored)))


def _begin(of: type[Model | ModelVersion]) -> Any:
    return case((of.created_at <= of.first_seen_at, of.created_at), else_=of.first_seen_at)


def _absences(day_of: Any) -> list[Select[*tuple[Any, ...]]]:
    """Return the deletes that a restore followed, and these restores."""
    ends = _deletes_and_restores()
    was_away = (ends.c.kind == "restored") & (ends.c.kind_before == "deleted")
    return [
        _event(ends.c.entity, day_of(ends.c.before), deleted=1).where(was_away),
        _event(ends.c.entity, day_of(ends.c.observed_at), restored=1).where(was_away),
    ]


def _deletes_and_restores() -> CTE:
    """Return each delete and restore with the one before it. `prune` may have deleted the one before."""
    record = (Change.entity, Change.entity_id)
    return (
        select(
            Change.entity,
            Change.kind,
            Change.observed_at,
            func.lag(Change.kind).over(partition_by=record, order_by=Change.id).label("kind_before"),
            func.lag(Change.observed_at).over(partition_by=record, order_by=Change.id).label("before"),
        )
        .where(Change.entity.in_([of.__tablename__ for of in _ENTITIES]), Change.kind.in_(("deleted", "restored")))
        .cte("ends")
    )
