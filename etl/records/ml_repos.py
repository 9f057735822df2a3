"""ML repos: their fields lie in a manifest, of which the rest goes to `extra`."""

from etl.records.fields import leftover, take_own_identity, take_text, take_time, without_nulls
from etl.records.subjects import restore_creator, take_creator
from etl.records.tables import MlRepoRow, Record, Rows
from etl.records.times import iso


def ml_repo_rows(record: Record, content_hash: str) -> Rows:
    """The rows of an ML repo, by table."""
    left = dict(record)
    manifest = _take_manifest(left)
    created_by_id, subjects = take_creator(left)
    row = MlRepoRow(
        id=take_own_identity(left, "id"),
        tenant_name=take_text(left, "tenant_name"),
        name=manifest.get("name"),
        description=manifest.get("description"),
        storage_integration_fqn=manifest.get("storage_integration_fqn"),
        created_by_id=created_by_id,
        created_at=take_time(left, "created_at"),
        extra=leftover(left),
        content_hash=content_hash,
    )
    return {"ml_repos": [row], "subjects": subjects}


def rebuilt_ml_repo(rows: Rows) -> Record:
    """The record of an ML repo, from its rows."""
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
    left = row.extra or {}
    if record["manifest"] and "manifest" in left:
        left = left | {"manifest": record["manifest"] | left["manifest"]}
    rebuilt = without_nulls(record) | left
    restore_creator(rebuilt, row.created_by_id, rows)
    return rebuilt


def _take_manifest(left: Record) -> dict[str, str]:
    """Take the manifest's fields that have columns; the rest of it, or what is no manifest, stays."""
    rest = left.get("manifest")
    if not isinstance(rest, dict):
        return {}
    rest = dict(rest)
    keys = ("name", "description", "storage_integration_fqn")
    taken = {key: value for key in keys if (value := take_text(rest, key)) is not None}
    # An empty manifest is not an absent one: it stays unless a column tells of it.
    left["manifest"] = without_nulls(rest) or (None if taken else {})
    return taken
