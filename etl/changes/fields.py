"""The words for each field, and the fields that sentences leave out."""

from collections.abc import Mapping

from etl.changes.named_change import NamedChange

BOOKKEEPING: Mapping[str, frozenset[str]] = {
    "ml_repos": frozenset({"is_derived", "extra.num_runs", "extra.datasets_count"}),
    "models": frozenset({"updated_at", "latest_version_id", "run_steps", "fqn"}),
    "model_versions": frozenset({"updated_at", "fqn", "ml_repo_id", "manifest.name", "manifest.ml_repo"}),
}
"""Fields by table that change as a result of other changes, each of which has its own row."""

EMPTY_JSON = frozenset({"[]", "{}"})
"""Values within JSON that mean the same as none."""

_COLUMN_WORDS: Mapping[str, str] = {
    "artifact_size_bytes": "artifact size",
    "base_model": "base model",
    "created_at": "creation time",
    "created_by_id": "creator",
    "framework_type": "framework",
    "library_name": "library",
    "latest_version_id": "latest version",
    "ml_repo_id": "ML repo",
    "model_id": "model",
    "pipeline_tag": "pipeline tag",
    "python_version": "Python",
    "run_id": "training run",
    "source_type": "source type",
    "source_uri": "source",
    "storage_integration_fqn": "storage",
    "tenant_name": "tenant",
    "version": "number",
    "version_alias": "alias",
}
"""Words for columns whose name alone does not make a good sentence."""

VALUELESS_FIELDS = frozenset({"description", "latest_version_id", "model_id", "run_id", "run_steps"})
"""Columns whose values are too long, or ids: the sentence says only that they changed."""

ID_FIELDS_SHOWN_BY_NAME = frozenset({"created_by_id", "ml_repo_id"})
"""Columns that hold an id: the sentence shows the name of its record."""


def column_words(column: str) -> str:
    """Return the words for a column."""
    return _COLUMN_WORDS.get(column) or column.replace("_", " ")


def is_left_out(change: NamedChange) -> bool:
    """Return whether lists for people leave a change out: of a bookkeeping field, or from an empty list to none."""
    field = change.field or ""
    is_same = "." in field and {change.old, change.new} <= {None, *EMPTY_JSON}
    return is_same or field in BOOKKEEPING.get(change.entity, ())
