"""Count the live records, for the result of a run."""

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
