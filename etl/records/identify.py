"""Identify and hash records before their rows are built, to find out which ones changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeGuard

from etl.enums import Entity
from etl.records.canonical import MAX_NESTING, UnstorableValue, change_hash, content_hash, normalize
from etl.records.fields import REQUIRED_ANY, InvalidRecord, has_content, identity, kind_of, own_identity
from etl.records.metrics import Metrics, metrics_of
from etl.records.models import embedded_version
from etl.records.rows import Json, Record
from etl.records.times import Instant, instant
from etl.records.versions import SNIPPET

_TIMES = ("created_at", "updated_at")
_READABLE = 60
_NONE = Metrics([], is_lossless=False)


class IdentifiedRecord(NamedTuple):
    """A record with its identity and hashes.

    Only models have a `change_hash`. It also changes with the content of the embedded latest version, so it shows when
    to read a model's versions again. Another notation of the same content changes it, too; the only cost is a needless
    read. `metrics` are those of a version: its hash is made from them, before its rows.
    """

    entity: Entity
    id: str
    updated_at: datetime | None
    content_hash: str
    ml_repo_id: str | None
    model_id: str | None
    change_hash: str | None
    metrics: Metrics
    latest_version: Record | None
    """The version that a model embeds, if it is a usable record."""
    record: Record
    is_derived: bool = False
    """Whether this is an ML repo that the source does not list, known only from its models."""


def identify(entity: Entity, raw: Json) -> IdentifiedRecord:
    """Identify and hash a record.

    Raises InvalidRecord if it is not an object, has no usable id, holds no content, or cannot be stored whole.
    """
    if not isinstance(raw, dict):
        raise InvalidRecord(f"it is {kind_of(raw)}, where an object with an id was expected")
    own_id = own_identity(raw, "id")
    model_id = own_identity(raw, "model_id") if entity is Entity.MODEL_VERSIONS else None
    if not has_content(entity, raw):
        one, other = REQUIRED_ANY[entity]
        raise InvalidRecord(f"it has neither {one} nor {other}, and every record of its kind has at least one")
    metrics = metrics_of(raw, own_id) if model_id else _NONE
    latest = embedded_version(raw) if entity is Entity.MODELS else None
    if entity is Entity.MODELS:
        content, change_hash = _hashes_of_model(raw, latest)
    else:
        content, change_hash = _hash(raw | {"metrics": None} if metrics.is_lossless else raw, metrics.rows), None
    updated_at = _instant(raw.get("updated_at"))
    return IdentifiedRecord(
        entity=entity,
        id=own_id,
        updated_at=updated_at.at if updated_at else None,
        content_hash=content,
        ml_repo_id=own_id if entity is Entity.ML_REPOS else identity(raw.get("ml_repo_id")),
        model_id=model_id,
        change_hash=change_hash,
        metrics=metrics,
        latest_version=latest,
        record=raw,
    )


def identify_derived(ml_repo: Record) -> IdentifiedRecord:
    """Identify and hash an ML repo known only from its models; no listed one has its hash."""
    repo_id = own_identity(ml_repo, "id")
    return IdentifiedRecord(
        entity=Entity.ML_REPOS,
        id=repo_id,
        updated_at=None,
        content_hash=content_hash(["derived", _content(ml_repo)]),
        ml_repo_id=repo_id,
        model_id=None,
        change_hash=None,
        metrics=_NONE,
        latest_version=None,
        record=ml_repo,
        is_derived=True,
    )


def _hashes_of_model(raw: Record, latest: Record | None) -> tuple[str, str]:
    """The content hash and the change hash of a model. Raises InvalidRecord."""
    if latest is None:
        own = _hash(raw)
        return own, content_hash([own])
    own = _hash(raw | {"latest_version": {"id": latest["id"]}})
    try:
        return own, change_hash(_in_order(latest), own)
    except UnstorableValue as error:  # the version will be rejected, but its model is valid
        return own, content_hash([own, str(error)])


def _in_order(version: Record) -> Record:
    """Copy a version with its tags sorted, without the field that its content hash leaves out."""
    return {
        key: sorted(value) if key == "tags" and _are_texts(value) else value
        for key, value in version.items()
        if key != SNIPPET
    }


def _hash(record: Record, rows: Sequence[tuple[Any, ...]] = ()) -> str:
    """The content hash. Raises InvalidRecord, which names the field that cannot be stored."""
    try:
        return content_hash(_content(record), rows)
    except UnstorableValue as error:
        field = next(key for key, value in record.items() if _is_unfit(value))
        named = f"its {field}" if field.isidentifier() and len(field) <= _READABLE else "a field of it"
        raise InvalidRecord(f"{named} {error}") from error


def _is_unfit(value: Json) -> bool:
    try:
        normalize(value, MAX_NESTING - 1)
    except UnstorableValue:
        return True
    return False


def _content(record: Record) -> Record:
    """Normalize the record, times and tags included, without the snippet."""
    content: Record = normalize(record)
    content.pop(SNIPPET, None)
    for key in _TIMES:
        if read := _instant(content.get(key)):
            content[key] = read.text
    tags = content.get("tags")
    if _are_texts(tags):
        content["tags"] = sorted(set(tags))
    return content


def _are_texts(value: Json) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _instant(value: Json) -> Instant | None:
    return instant(value) if isinstance(value, str) else None
