"""Models, with the steps of the runs that logged them and the id of their latest version."""

from etl.enums import Entity
from etl.records import fields
from etl.records.rows import ModelRow, ModelRunStepRow, Record, Rows
from etl.records.subjects import take_creator


def embedded_version(raw: Record) -> Record | None:
    """A model's latest version if it is a usable record; otherwise it is an ordinary field."""
    latest = raw.get("latest_version")
    if not isinstance(latest, dict) or not fields.has_content(Entity.MODEL_VERSIONS, latest):
        return None
    return latest if fields.identity(latest.get("id")) and fields.identity(latest.get("model_id")) else None


def model_rows(record: Record, content_hash: str, latest_version: Record | None) -> Rows:
    """The rows of a model, by table, without those of its latest version.

    `latest_version`: the record's `embedded_version`.
    """
    left = dict(record)
    if latest_version:
        del left["latest_version"]
    model_id = fields.take_own_identity(left, "id")
    created_by_id, subjects = take_creator(left)
    run_steps = _take_run_steps(left, model_id)
    row = ModelRow(
        id=model_id,
        ml_repo_id=fields.take_identity(left, "ml_repo_id"),
        name=fields.take_text(left, "name"),
        fqn=fields.take_text(left, "fqn"),
        type=fields.take_text(left, "type"),
        created_by_id=created_by_id,
        created_at=fields.take_time(left, "created_at"),
        updated_at=fields.take_time(left, "updated_at"),
        latest_version_id=fields.identity(fields.get_field(record.get("latest_version"), "id")),
        extra=fields.leftover(left),
        content_hash=content_hash,
    )
    return {"models": [row], "model_run_steps": run_steps, "subjects": subjects}


def _take_run_steps(left: Record, model_id: str) -> list[ModelRunStepRow]:
    """Take the run steps; a list that is empty or has an item that is no integer also stays.

    The empty list must stay, because a record without rows has no list.
    """
    listed = left.get("run_steps")
    if not isinstance(listed, list):
        return []
    steps = [fields.integer(item) for item in listed]
    if steps and None not in steps:
        del left["run_steps"]
    return [ModelRunStepRow(model_id, at, step) for at, step in enumerate(steps) if step is not None]
