"""Count the live records."""

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, func, select

from etl.enums import Entity
from etl.store.reconcile import live_or_moving_in
from etl.store.repo_scope import RepoScope
from etl.store.staging_tables import OBSERVED, TABLES

_MODEL_ID = {Entity.MODELS: "id", Entity.MODEL_VERSIONS: "model_id"}


def live_counts(connection: Connection, repos: RepoScope, *, listed_only: bool) -> dict[Entity, int]:
    """Count the live records of each table in the ML repos.

    `listed_only` counts only the models that this run has listed, with their versions, and no ML repos.
    """
    with connection.begin():
        return {
            entity: connection.scalar(_live_count(entity, repos, listed_only=listed_only)) or 0
            for entity in (_MODEL_ID if listed_only else Entity)
        }


@lru_cache
def _live_count(entity: Entity, repos: RepoScope, *, listed_only: bool) -> Select[Any]:
    table = TABLES[entity]
    query = select(func.count()).select_from(table).where(live_or_moving_in(table, repos))
    of_run = select(OBSERVED.c.id).where(OBSERVED.c.entity == Entity.MODELS)
    return query.where(table.c[_MODEL_ID[entity]].in_(of_run)) if listed_only else query


def versions_by_ml_repo(connection: Connection) -> dict[str, int]:
    """Count the live versions of each ML repo that has any."""
    versions = TABLES[Entity.MODEL_VERSIONS]
    query = select(versions.c.ml_repo_id, func.count()).where(versions.c.deleted_at.is_(None))
    with connection.begin():
        rows = connection.execute(query.group_by(versions.c.ml_repo_id))
        return {row[0]: row[1] for row in rows if row[0] is not None}
