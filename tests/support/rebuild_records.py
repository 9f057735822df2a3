"""Rebuild the records of the source from rows, to check that no part of a record is lost."""

from collections.abc import Callable, Iterable
from typing import Any

from etl.enums import Entity
from etl.records import MetricRow, MlRepoRow, ModelRow, ModelRunStepRow, ModelVersionRow, Record, Rows, SubjectRow
from etl.records.fields import without_nulls
from etl.records.times import iso
from etl.records.versions import SNIPPET

_CREATOR = "created_by_subject"


def rebuild(entity: Entity, rows: Rows, latest_version: Rows | None = None) -> Record:
    """The record that the rows were made from, without null fields.

    A model embeds its latest version: pass that version's rows, too, or the record holds only its id.
    """
    record = _REBUILT[entity](rows)
    if latest_version is not None:
        record["latest_version"] = rebuild_version(latest_version)
    return record


def rebuild_ml_repo(rows: Rows) -> Record:
    """Rebuild the record of an ML repo from its rows."""
    row = MlRepoRow._make(rows["ml_repos"][0])
    manifest = {
        "name": row.name,
        "description": row.description,
        "storage_integration_fqn": row.storage_integration_fqn,
    }
    record = {
        "id": row.id,
        "tenant_name": row.tenant_name,
        "manifest": without_nulls(manifest) or None,
        "created_at": iso(row.created_at) if row.created_at else None,
    }
    extra = row.extra or {}
    if record["manifest"] and "manifest" in extra:
        extra = extra | {"manifest": record["manifest"] | extra["manifest"]}
    rebuilt = without_nulls(record) | extra
    restore_creator(rebuilt, row.created_by_id, rows)
    return rebuilt


def rebuild_model(rows: Rows) -> Record:
    """Rebuild the record of a model from its rows, which hold only its latest version's id."""
    row = ModelRow._make(rows["models"][0])
    steps = sorted(ModelRunStepRow._make(step) for step in rows.get("model_run_steps", ()))
    record = {
        "id": row.id,
        "ml_repo_id": row.ml_repo_id,
        "name": row.name,
        "fqn": row.fqn,
        "type": row.type,
        "created_at": iso(row.created_at) if row.created_at else None,
        "updated_at": iso(row.updated_at) if row.updated_at else None,
        "latest_version": {"id": row.latest_version_id} if row.latest_version_id else None,
        "run_steps": [step.step for step in steps] or None,
    }
    rebuilt = without_nulls(record) | (row.extra or {})
    restore_creator(rebuilt, row.created_by_id, rows)
    return rebuilt


def rebuild_version(rows: Rows) -> Record:
    """Rebuild the record of a model version from its rows."""
    row = ModelVersionRow._make(rows["model_versions"][0])
    record = {
        "id": row.id,
        "model_id": row.model_id,
        "ml_repo_id": row.ml_repo_id,
        "fqn": row.fqn,
        "deployable": row.deployable,
        SNIPPET: row.usage_code_snippet,
        "created_at": iso(row.created_at) if row.created_at else None,
        "updated_at": iso(row.updated_at) if row.updated_at else None,
        "manifest": row.manifest,
        "tags": [tag for _, _, tag in sorted(rows.get("model_version_tags", ()))] or None,
        "metrics": listed_metrics(rows.get("model_version_metrics", ())) or None,
    }
    rebuilt = without_nulls(record) | (row.extra or {})
    restore_creator(rebuilt, row.created_by_id, rows)
    return rebuilt


def listed_metrics(rows: Iterable[tuple[Any, ...]]) -> list[Record]:
    """Rebuild the source's list of metrics from their rows."""
    return [
        without_nulls(
            {
                "key": row.key,
                # float() parses exactly the names that value_special holds.
                "value": float(row.value_special) if row.value_special else row.value,
                "timestamp": row.timestamp_ms,
                "step": row.step,
            }
        )
        for row in sorted(map(MetricRow._make, rows), key=lambda row: row.position)
    ]


def restore_creator(record: Record, created_by_id: str | None, rows: Rows) -> None:
    """Put the creator back into a record.

    It joins the subject's row, which may be from another record, with the details that this record kept.
    """
    if created_by_id is None:
        return
    subject: Record = {"subjectId": created_by_id}
    for row in map(SubjectRow._make, rows.get("subjects", ())):
        if row.id == created_by_id:
            subject |= {
                "subjectType": row.type,
                "subjectSlug": row.slug,
                "subjectDisplayName": row.display_name,
            }
    record[_CREATOR] = without_nulls(subject) | record.get(_CREATOR, {})


_REBUILT: dict[Entity, Callable[[Rows], Record]] = {
    Entity.ML_REPOS: rebuild_ml_repo,
    Entity.MODELS: rebuild_model,
    Entity.MODEL_VERSIONS: rebuild_version,
}
