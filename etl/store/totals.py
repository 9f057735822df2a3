"""Count the live records."""

from sqlalchemy import ColumnElement, Connection, func, select, true

from etl.enums import Entity
from etl.store.reconcile import live_in
from etl.store.repo_scope import RepoScope
from etl.store.staging_tables import OBSERVED, TABLES


def live_counts(connection: Connection, repos: RepoScope, *, listed_only: bool) -> dict[Entity, int]:
    """Count the live records of each table in the ML repos.

    `listed_only` counts only the models that this run has listed, with their versions, and no ML repos.
    """
    models, versions = TABLES[Entity.MODELS], TABLES[Entity.MODEL_VERSIONS]
    of_run = select(OBSERVED.c.id).where(OBSERVED.c.entity == Entity.MODELS)
    conditions: dict[Entity, ColumnElement[bool]] = dict.fromkeys(Entity, true())
    if listed_only:
        conditions = {Entity.MODELS: models.c.id.in_(of_run), Entity.MODEL_VERSIONS: versions.c.model_id.in_(of_run)}
    with connection.begin():
        return {
            entity: connection.scalar(
                select(func.count()).select_from(TABLES[entity]).where(live_in(TABLES[entity], repos), condition)
            )
            or 0
            for entity, condition in conditions.items()
        }


def versions_by_ml_repo(connection: Connection) -> dict[str, int]:
    """Count the live versions of each ML repo that has any."""
    versions = TABLES[Entity.MODEL_VERSIONS]
    query = select(versions.c.ml_repo_id, func.count()).where(versions.c.deleted_at.is_(None))
    with connection.begin():
        rows = connection.execute(query.group_by(versions.c.ml_repo_id))
        return {row[0]: row[1] for row in rows if row[0] is not None}
