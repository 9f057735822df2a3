"""The rows that records become: one NamedTuple for each table, fields in column order.

Values are text, 64-bit int, finite float, bool, aware UTC datetime or None. `metadata`, `manifest` and `extra` hold
JSON as Python objects, or None if there is nothing. The store adds when a row was first seen, last changed and deleted,
and columns derived from others (`logged_at`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

Json = Any
Record = dict[str, Json]
Rows = Mapping[str, Sequence[tuple[Any, ...]]]
"""The rows of one record, by table."""


class MlRepoRow(NamedTuple):
    """A row of `ml_repos`."""

    id: str
    tenant_name: str | None
    name: str | None
    description: str | None
    storage_integration_fqn: str | None
    created_by_id: str | None
    created_at: datetime | None
    is_derived: bool
    extra: Record | None
    content_hash: str


class SubjectRow(NamedTuple):
    """A row of `subjects`: the creator of records."""

    id: str
    type: str | None
    slug: str | None
    display_name: str | None
    pat_name: str | None
    extra: Record | None


class ModelRow(NamedTuple):
    """A row of `models`."""

    id: str
    ml_repo_id: str | None
    name: str | None
    fqn: str | None
    type: str | None
    created_by_id: str | None
    created_at: datetime | None
    updated_at: datetime | None
    latest_version_id: str | None
    extra: Record | None
    content_hash: str


class ModelRunStepRow(NamedTuple):
    """A row of `model_run_steps`."""

    model_id: str
    position: int
    step: int


class ModelVersionRow(NamedTuple):
    """A row of `model_versions`."""

    id: str
    model_id: str
    ml_repo_id: str | None
    fqn: str | None
    version: int | None
    version_alias: str | None
    description: str | None
    source_type: str | None
    source_uri: str | None
    framework_type: str | None
    library_name: str | None
    pipeline_tag: str | None
    base_model: str | None
    python_version: str | None
    step: int | None
    run_id: str | None
    deployable: bool | None
    artifact_size_bytes: int | None
    usage_code_snippet: str | None
    created_by_id: str | None
    created_at: datetime | None
    updated_at: datetime | None
    metadata: Json
    manifest: Json
    extra: Record | None
    content_hash: str


class TagRow(NamedTuple):
    """A row of `model_version_tags`."""

    model_version_id: str
    position: int
    tag: str


class MetricRow(NamedTuple):
    """A row of `model_version_metrics`."""

    model_version_id: str
    position: int
    key: str
    value: float | None
    value_special: str | None
    step: int | None
    timestamp_ms: int | None


class PackageRow(NamedTuple):
    """A row of `model_version_packages`."""

    model_version_id: str
    position: int
    requirement: str
    name: str | None
    specifier: str | None
    pinned_version: str | None
