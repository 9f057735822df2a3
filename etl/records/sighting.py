"""What a record says of itself before its rows are built: enough to know whether it changed."""

from dataclasses import dataclass
from datetime import datetime

from etl.records.canonical import MAX_NESTING, TooDeep, content_hash, plain
from etl.records.fields import Unreadable, identity, own_identity
from etl.records.models import embedded_version
from etl.records.tables import Entity, Json, Record
from etl.records.times import Instant, instant
from etl.records.versions import SNIPPET

_TIMES = ("created_at", "updated_at")
_KINDS = {list: "a list", str: "text", bool: "a bool", int: "a number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Sighting:
    """A record, identified and hashed.

    `fingerprint` only models have: it moves with the content of the embedded latest version too, and so
    tells when a model's versions must be read again.
    """

    entity: Entity
    id: str
    updated_at: datetime | None
    content_hash: str
    ml_repo_id: str | None
    model_id: str | None
    fingerprint: str | None
    record: Record


def sight(entity: Entity, raw: Json) -> Sighting:
    """Identify and hash a record. Raises Unreadable when it is none, has no identity or nests too deep."""
    if not isinstance(raw, dict):
        raise Unreadable(f"it is {_KINDS.get(type(raw), 'null')}, not an object")
    own_id = own_identity(raw, "id")
    model_id = own_identity(raw, "model_id") if entity == "model_versions" else None
    content, fingerprint = _hashes(entity, raw)
    updated_at = _instant(raw.get("updated_at"))
    return Sighting(
        entity=entity,
        id=own_id,
        updated_at=updated_at.at if updated_at else None,
        content_hash=content,
        ml_repo_id=own_id if entity == "ml_repos" else identity(raw.get("ml_repo_id")),
        model_id=model_id,
        fingerprint=fingerprint,
        record=raw,
    )


def _hashes(entity: Entity, raw: Record) -> tuple[str, str | None]:
    """Content hash and, for a model, fingerprint. Raises Unreadable."""
    try:
        if entity != "models":
            return content_hash(_content(raw)), None
        latest = embedded_version(raw)
        if latest is None:
            own = content_hash(_content(raw))
            return own, content_hash([own])
        own = content_hash(_content(raw | {"latest_version": {"id": latest["id"]}}))
        return own, content_hash([own, _content(latest)])
    except TooDeep as error:
        raise Unreadable(f"it nests more than {MAX_NESTING} levels deep") from error
    except ValueError as error:
        # Python refuses to write integers of more than some thousand digits.
        raise Unreadable("it holds a number of too many digits") from error


def _content(record: Record) -> Record:
    """The record in plain form, without what may differ while it says the same."""
    content: Record = plain(record)
    content.pop(SNIPPET, None)
    for key in _TIMES:
        if read := _instant(content.get(key)):
            content[key] = read.text
    tags = content.get("tags")
    if isinstance(tags, list) and all(isinstance(tag, str) for tag in tags):
        content["tags"] = sorted(set(tags))
    return content


def _instant(value: Json) -> Instant | None:
    return instant(value) if isinstance(value, str) else None
