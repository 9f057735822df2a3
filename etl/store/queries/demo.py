"""The queries of the demonstration."""

from typing import Any

from sqlalchemy import Connection, Select, func, select

from etl.models import views


def models_by_repo(connection: Connection) -> list[dict[str, Any]]:
    """Return each ML repo's number of models and versions, and its newest change."""
    view = views.current_models
    return _rows(
        connection,
        select(
            view.c.ml_repo_name.label("ml_repo"),
            func.count().label("models"),
            func.sum(view.c.version_count).label("versions"),
            func.max(view.c.updated_at).label("last updated"),
        )
        .group_by(view.c.ml_repo_name)
        .order_by(view.c.ml_repo_name),
    )


def in_production(connection: Connection, ml_repo: str) -> list[dict[str, Any]]:
    """Return the versions of an ML repo that are in production."""
    view = views.production_versions
    return _rows(
        connection,
        select(view.c.model_name.label("model"), view.c.version, view.c.created_by)
        .where(view.c.ml_repo_name == ml_repo)
        .order_by(view.c.model_name, view.c.version),
    )


def _rows(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[dict[str, Any]]:
    with connection.begin():
        return [dict(row) for row in connection.execute(query).mappings()]
