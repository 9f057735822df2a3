"""The makeup of the registry: frameworks, packages, Python, base models, metadata, ML repos; and what is unused."""

from typing import Any

from sqlalchemy import Connection, Select, distinct, func, select

from etl.models import Model, ModelVersion, views
from etl.store.queries.report.rows import Row, TopRows, fetch, top

_VERSIONS = func.count().label("versions")


def ml_repos(connection: Connection, limit: int) -> TopRows:
    """Return the ML repos with their contents, those with the most models first."""
    view = views.storage_by_ml_repo
    return top(connection, select(view).order_by(view.c.models.desc(), view.c.ml_repo_name), limit)


def frameworks(connection: Connection) -> list[Row]:
    """Count models and versions by framework; versions without one count under None."""
    version = (ModelVersion.model_id == Model.id) & ModelVersion.deleted_at.is_(None)
    query = (
        select(ModelVersion.framework_type.label("name"), func.count(distinct(Model.id)).label("models"), _VERSIONS)
        .join_from(Model, ModelVersion, version)
        .where(Model.deleted_at.is_(None))
        .group_by(ModelVersion.framework_type)
    )
    return _by_size(connection, query)


def base_models(connection: Connection) -> list[Row]:
    """Count models and versions by base model."""
    view = views.base_model_usage
    return _by_size(connection, select(view.c.base_model.label("name"), view.c.models, view.c.versions))


def pythons(connection: Connection) -> list[Row]:
    """Count versions by Python's minor version."""
    usage = views.python_usage.c
    query = select(usage.minor.label("name"), func.sum(usage.versions).label("versions")).group_by(usage.minor)
    return fetch(connection, query.order_by(usage.minor))


def packages(connection: Connection, limit: int) -> TopRows:
    """Count models and versions by the package that they require, those that most models require first."""
    usage = views.package_usage.c
    versions = func.count(distinct(usage.model_version_id)).label("versions")
    query = select(usage.name, func.count(distinct(usage.model_id)).label("models"), versions)
    counted = query.where(usage.name.is_not(None)).group_by(usage.name).subquery()
    return top(connection, select(counted).order_by(counted.c.models.desc(), counted.c.name), limit)


def package_specifiers(connection: Connection, names: list[str]) -> list[Row]:
    """Count versions by the package that they require and by its specifier, the most frequent first."""
    usage = views.package_usage.c
    versions = func.count(distinct(usage.model_version_id)).label("versions")
    query = select(usage.name, usage.specifier, versions).where(usage.name.in_(names))
    counted = query.group_by(usage.name, usage.specifier).subquery()
    return fetch(connection, select(counted).order_by(counted.c.name, counted.c.versions.desc(), counted.c.specifier))


def metadata_keys(connection: Connection, limit: int) -> TopRows:
    """Count latest versions by the keys of their metadata, without the key of the control plane's own values."""
    view = views.version_metadata.c
    query = select(view.key.label("name"), func.count(distinct(view.model_id)).label("models"), _VERSIONS)
    counted = query.where(view.is_latest, view.key != ".truefoundry").group_by(view.key).subquery()
    return top(connection, select(counted).order_by(counted.c.versions.desc(), counted.c.name), limit)


def former_authors(connection: Connection) -> int:
    """Count the creators that no record names any more."""
    return connection.scalar(select(func.count()).select_from(views.former_authors)) or 0


def cleanup(connection: Connection) -> Row:
    """Count the versions that are neither the latest nor in production, and add up their sizes."""
    size = views.cleanup_candidates.c.artifact_size_bytes
    counted = (func.count() - func.count(size)).label("versions_without_size")
    return fetch(connection, select(_VERSIONS, func.sum(size).label("artifact_size_bytes"), counted))[0]


def _by_size(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[Row]:
    found = query.subquery()
    return fetch(connection, select(found).order_by(found.c.models.desc(), found.c.versions.desc(), found.c.name))
