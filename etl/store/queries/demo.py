"""The queries of the demonstration."""

from typing import Any

from sqlalchemy import Connection, Select, func, select

from etl.models import Change, Model, ModelVersion, views


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


def changes_of(connection: Connection, run_id: str, limit: int) -> list[dict[str, Any]]:
    """Return the first changes that a run found, with the names of the changed records."""
    name = func.coalesce(Model.name, ModelVersion.fqn, Change.entity_id).label("what")
    return _rows(
        connection,
        select(name, Change.kind, Change.field, Change.old_value.label("from"), Change.new_value.label("to"))
        .outerjoin(Model, (Change.entity == "models") & (Model.id == Change.entity_id))
        .outerjoin(ModelVersion, (Change.entity == "model_versions") & (ModelVersion.id == Change.entity_id))
        .where(Change.run_id == run_id)
        .order_by(Change.kind == "created", Change.kind == "deleted", name, Change.id)
        .limit(limit),
    )


def tags_now(connection: Connection, tag: str, limit: int) -> list[dict[str, Any]]:
    """Return the versions that have a tag now."""
    view = views.tag_assignments
    return _rows(
        connection,
        select(view.c.tag, view.c.ml_repo_name.label("ml_repo"), view.c.model_name.label("model"), view.c.version)
        .where(view.c.tag == tag)
        .order_by(view.c.ml_repo_name, view.c.model_name, view.c.version)
        .limit(limit),
    )


def _rows(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[dict[str, Any]]:
    with connection.begin():
        return [dict(row) for row in connection.execute(query).mappings()]
