"""Versions in production, and the periods in which versions were."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, and_, or_, select

from etl.models import ProductionWord, views
from etl.store.queries.report.rows import Row, fetch, stream


def words(connection: Connection) -> list[str]:
    """Return the words of tags and aliases that mean production."""
    return list(connection.scalars(select(ProductionWord.word).order_by(ProductionWord.word)))


def versions(connection: Connection) -> Iterator[Row]:
    """Yield the versions in production, one row for each label, the latest to enter it first."""
    view = views.production_versions
    order = (view.c.since_at.desc().nulls_last(), view.c.ml_repo_name, view.c.model_name, view.c.version.desc())
    return stream(connection, select(view).order_by(*order, view.c.model_version_id, view.c.tag))


def models(connection: Connection) -> Iterator[Row]:
    """Yield each model with a version in production, with its latest version and how far production is behind."""
    view = views.production_models
    query = select(view.c.model_id, view.c.latest_version, view.c.versions_behind)
    return stream(connection, query.where(view.c.production_versions > 0))


def periods(connection: Connection, since: datetime) -> list[Row]:
    """Return the periods in production that began or ended at or after `since`, the latest events first.

    Those that began before the first copy count only if they ended since.
    """
    view = views.production_history
    began = and_(view.c.valid_from >= since, view.c.valid_from_is_exact)
    query = select(view).where(or_(began, view.c.valid_to >= since))
    return fetch(connection, query.order_by(view.c.valid_from.desc(), view.c.model_name, view.c.model_version_id))
