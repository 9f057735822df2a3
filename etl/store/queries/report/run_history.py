"""Runs, rejected records, and versions that are not stored."""

from sqlalchemy import Connection, func, select

from etl.enums import STATUSES_THAT_WROTE
from etl.models import RejectedRecord, SyncRun, SyncRunCount, views
from etl.store.queries.report.rows import Row, TopRows, fetch, top

_WRITTEN = ("inserted", "updated", "deleted", "restored")


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
    return fetch(connection, query.limit(limit))


def last_written(connection: Connection) -> Row | None:
    """Return the id and the start of the newest run that wrote."""
    wrote = SyncRun.status.in_(STATUSES_THAT_WROTE)
    query = select(SyncRun.id, SyncRun.started_at).where(wrote).order_by(SyncRun.started_at.desc(), SyncRun.id)
    return next(iter(fetch(connection, query.limit(1))), None)


def freshness(connection: Connection) -> list[Row]:
    """Return the age of each scope, the freshest first."""
    return fetch(connection, select(views.sync_freshness).order_by(views.sync_freshness.c.age_seconds))


def rejects(connection: Connection, limit: int) -> TopRows:
    """Return the records that could not be stored, the newest first."""
    of = RejectedRecord
    query = select(of.id, of.entity, of.record_id, of.reason, of.rejected_at).where(of.resolved_at.is_(None))
    return top(connection, query.order_by(of.rejected_at.desc(), of.id.desc()), limit)


def gaps(connection: Connection, limit: int) -> TopRows:
    """Return the models that lack versions by the gaps in their numbers, those that lack the most first."""
    view = views.version_coverage
    query = select(view).where(view.c.missing_versions > 0)
    return top(connection, query.order_by(view.c.missing_versions.desc(), view.c.model_name), limit)
