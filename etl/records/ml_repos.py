"""ML repos: columns hold fields of their manifest, and `extra` keeps the rest of it."""

from etl.records.fields import (
    get_field,
    identity,
    leftover,
    take_own_identity,
    take_text,
    take_time,
    text,
    without_nulls,
)
from etl.records.rows import MlRepoRow, Record, Rows
from etl.records.subjects import take_creator

_FQN_PARTS = 3
"""Minimum parts of a model's path: tenant, ML repo, model. Model names may contain slashes."""


def derived_ml_repo(model: Record) -> Record | None:
    """The ML repo of a model, as far as the model describes it; None if it names none.

    Tenant and name are those in the model's fqn, `model:{tenant}/{ml_repo}/{model}`. If the fqn has another form, the
    name is the one in the manifest of the latest version.
    """
    repo_id = identity(model.get("ml_repo_id"))
    if repo_id is None:
        return None
    kind, _, path = (text(model.get("fqn")) or "").partition(":")
    parts = path.split("/")
    tenant: str | None = None
    if kind == "model" and len(parts) >= _FQN_PARTS and all(parts):
        tenant, name = parts[:2]
    else:
        named = get_field(get_field(model.get("latest_version"), "manifest"), "ml_repo")
        name = named if type(named) is str else ""  # a number of too many digits is of a subclass
    return without_nulls({"id": repo_id, "tenant_name": tenant, "manifest": {"name": name} if name else None})


def ml_repo_rows(record: Record, content_hash: str, *, is_derived: bool = False) -> Rows:
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
        is_derived=is_derived,
        extra=leftover(left),
        content_hash=content_hash,
    )
    return {"ml_repos": [row], "subjects": subjects}


def _take_manifest(left: Record) -> dict[str, str]:
    """Take the manifest's fields that have columns; leave the rest, or a value of another type."""
    rest = left.get("manifest")
    if not isinstance(rest, dict):
        return {}
    rest = dict(rest)
    keys = ("name", "description", "storage_integration_fqn")
    taken = {key: value for key in keys if (value := take_text(rest, key)) is not None}
    # An empty manifest is not an absent one: it stays unless a column was filled from it.
    left["manifest"] = without_nulls(rest) or (None if taken else {})
    return taken
