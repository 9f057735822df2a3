"""Totals of the registry, and counts of changes."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, case, distinct, func, select, union_all

from etl.models import Change, MlRepo, Model, ModelVersion, RejectedRecord, SyncRun, views
from etl.store.queries.report.rows import Row, fetch


def counts(connection: Connection) -> Row:
    """Return the current totals, and the start of the first run. `bytes` is None if no size is known.

    The records that the first run copied show its start even after `prune` has deleted its row.
    """
    looks = {
        of.__tablename__: select(func.count()).select_from(of).where(of.deleted_at.is_(None)).scalar_subquery()
        for of in (MlRepo, Model, ModelVersion)
    }
    storage = views.storage_by_ml_repo.c
    looks["bytes"] = select(func.sum(storage.artifact_size_bytes)).scalar_subquery()
    looks["without_size"] = select(func.coalesce(func.sum(storage.versions_without_size), 0)).scalar_subquery()
    looks["open_rejects"] = select(func.count()).where(RejectedRecord.resolved_at.is_(None)).scalar_subquery()
    starts = union_all(select(SyncRun.started_at), *(select(of.first_seen_at) for of in (MlRepo, Model))).subquery()
    looks["first_run_at"] = select(func.min(starts.c.started_at)).scalar_subquery()
    found = fetch(connection, select(*(look.label(name) for name, look in looks.items())))[0]
    return found if found["model_versions"] else found | {"bytes": 0}


def tenant(connection: Connection) -> str | None:
    """Return the tenant if all ML repos have the same; else None."""
    query = select(MlRepo.tenant_name.label("name")).where(MlRepo.deleted_at.is_(None)).distinct().limit(2)
    names = [row["name"] for row in fetch(connection, query)]
    return names[0] if len(names) == 1 else None


def repo_ids(connection: Connection) -> dict[str, str | None]:
    """Return the id of the ML repo of each model."""
    query = select(Model.id, Model.ml_repo_id).where(Model.deleted_at.is_(None))
    return {row["id"]: row["ml_repo_id"] for row in fetch(connection, query)}


def changed_in_run(connection: Connection, run_id: str) -> dict[tuple[str, str], int]:
    """Count the records that a run found changed, by table and kind of change.

    For tags, count the tags that were added and removed.
    """
    return _changed(connection, Change.run_id == run_id)


def changed_since(connection: Connection, moment: datetime) -> dict[tuple[str, str], int]:
    """Count like `changed_in_run`, over all runs since a moment."""
    return _changed(connection, Change.observed_at >= moment)


def _changed(connection: Connection, which: ColumnElement[bool]) -> dict[tuple[str, str], int]:
    of_tags = Change.kind.in_(("tag_added", "tag_removed"))
    query = (
        select(
            Change.entity,
            Change.kind,
            case((of_tags, func.count()), else_=func.count(distinct(Change.entity_id))).label("number"),
        )
        # A new `updated_at` alone is not a change worth reporting.
        .where(which, func.coalesce(Change.field, "") != "updated_at")
        .group_by(Change.entity, Change.kind)
    )
    return {(row["entity"], row["kind"]): row["number"] for row in fetch(connection, query)}
