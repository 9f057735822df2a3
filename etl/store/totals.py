"""Count the live records, for the result of a run."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, func, select, true

from etl.store.reconcile import live_in
from etl.store.staging_tables import CHILDREN, OBSERVED, TABLES


def live_counts(connection: Connection, ml_repos: Sequence[str], *, listed_only: bool) -> dict[str, int]:
    """Count the live records of each table in the given ML repos (all if none given).

    `listed_only` counts only the models that this run has listed, with their versions, and no ML repos.
    """
    models, versions = TABLES["models"], TABLES["model_versions"]
    of_run = select(OBSERVED.c.id).where(OBSERVED.c.entity == "models")
    listed: dict[str, ColumnElement[bool]] = dict.fromkeys(CHILDREN, true())
    if listed_only:
        listed = {"models": models.c.id.in_(of_run), "model_versions": versions.c.model_id.in_(of_run)}
    with connection.begin():
        return {
            entity: connection.scalar(
                select(func.count()).select_from(TABLES[entity]).where(live_in(TABLES[entity], ml_repos), condition)
            )
            or 0
            for entity, condition in listed.items()
        }
