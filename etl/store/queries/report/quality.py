"""Stale and undocumented models."""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from etl.models import views
from etl.store.queries.report.rows import Row, TopRows, stream, top


def stale(connection: Connection, days: float, limit: int) -> TopRows:
    """Return models without a new version for `days` days, the oldest first.

    Models without any version are left out.
    """
    view = views.model_activity
    age = view.c.days_since_last_version
    return top(connection, select(view).where(age > days).order_by(age.desc(), view.c.model_name), limit)


def undocumented(connection: Connection) -> Iterator[Row]:
    """Yield the models without a description, a creator or tags, by ML repo and name."""
    view = views.undocumented_models
    return stream(connection, select(view).order_by(view.c.ml_repo_name, view.c.model_name, view.c.model_id))
