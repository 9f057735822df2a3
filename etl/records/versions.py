"""Model versions: the manifest is stored whole, and columns repeat parts of it."""

from typing import Any

from etl.records import fields
from etl.records.fields import get_field, indexed, integer, text
from etl.records.metrics import Metrics
from etl.records.packages import package_rows
from etl.records.rows import Json, ModelVersionRow, Record, Rows, TagRow
from etl.records.subjects import take_creator

SNIPPET = "usage_code_snippet"
_INTERNAL = ".truefoundry"


def version_rows(record: Record, content_hash: str, metrics: Metrics) -> Rows:
    """The rows of a model version, by table."""
    left = dict(record)
    if metrics.is_lossless:
        del left["metrics"]
    version_id = fields.take_own_identity(left, "id")
    manifest = left.pop("manifest", None)
    created_by_id, subjects = take_creator(left)
    tags = _take_tags(left, version_id)
    row = ModelVersionRow(
        id=version_id,
        model_id=fields.take_own_identity(left, "model_id"),
        ml_repo_id=fields.take_identity(left, "ml_repo_id"),
        fqn=fields.take_text(left, "fqn"),
        deployable=fields.take_flag(left, "deployable"),
        usage_code_snippet=fields.take_text(left, SNIPPET),
        created_by_id=created_by_id,
        created_at=fields.take_time(left, "created_at"),
        updated_at=fields.take_time(left, "updated_at"),
        **_manifest_columns(record, manifest),
        manifest=manifest,
        extra=fields.leftover(left),
        content_hash=content_hash,
    )
    return {
        "model_versions": [row],
        "model_version_tags": tags,
        "model_version_metrics": metrics.rows,
        "model_version_packages": package_rows(version_id, manifest),
        "subjects": subjects,
    }


def _take_tags(left: Record, version_id: str) -> list[TagRow]:
    """Take the tags; a list that is empty or not distinct, indexable text also stays."""
    listed = left.get("tags")
    if not isinstance(listed, list):
        return []
    tags = list(dict.fromkeys(tag for tag in listed if indexed(tag) is not None))
    if tags and tags == listed:
        del left["tags"]
    return [TagRow(version_id, position, tag) for position, tag in enumerate(tags)]


def _manifest_columns(record: Record, manifest: Json) -> dict[str, Any]:
    """The columns that repeat parts of the manifest."""
    if not isinstance(manifest, dict):
        manifest = {}
    source = manifest.get("source")
    framework = manifest.get("framework")
    metadata = manifest.get("metadata")
    version = integer(manifest.get("version"))
    return {
        "version": _tail_of_fqn(record.get("fqn")) if version is None else version,
        # SDK 0.3 puts the alias next to the manifest. There it is an ordinary field, which extra keeps, too.
        "version_alias": text(manifest.get("version_alias")) or text(record.get("version_alias")),
        "description": text(manifest.get("description")),
        "source_type": text(get_field(source, "type")),
        "source_uri": text(get_field(source, "uri")) or text(get_field(source, "file_or_folder")),
        "framework_type": indexed(get_field(framework, "type")),
        "library_name": text(get_field(framework, "library_name")),
        "pipeline_tag": text(get_field(framework, "pipeline_tag")),
        "base_model": text(get_field(framework, "base_model")),
        "python_version": text(get_field(manifest.get("environment"), "python_version")),
        "step": integer(manifest.get("step")),
        "run_id": fields.identity(manifest.get("run_id")),
        "artifact_size_bytes": integer(get_field(get_field(metadata, _INTERNAL), "artifact_size")),
        "metadata": metadata,
    }


def _tail_of_fqn(fqn: Json) -> int | None:
    """The version number after the fqn's last colon, or None."""
    _, colon, tail = fqn.rpartition(":") if isinstance(fqn, str) else ("", "", "")
    is_number = colon and tail.isascii() and tail.isdigit() and len(tail) <= len(str(2**63))
    return integer(int(tail)) if is_number else None
