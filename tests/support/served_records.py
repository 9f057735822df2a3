"""Compare the records that the control plane serves with what a run has stored or kept as rejected."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from etl.enums import Entity
from etl.models import RejectedRecord
from etl.records import embedded_version, identity
from tests.support.malformed_records import BadRecord
from tests.support.reference_decoder import decode
from tests.support.sync_env import ENTITIES, SyncEnv

_SHARED = ("subjectType", "subjectSlug", "subjectDisplayName")
"""The columns of the table of subjects: each has only the value of the newest record."""


def lost(env: SyncEnv) -> list[Any]:
    """Return the served records that are neither stored exactly nor kept whole."""
    still_open = env.rows(RejectedRecord, RejectedRecord.resolved_at.is_(None))
    kept = [(row["entity"], decode(json.loads(row["payload"]))) for row in still_open]
    held = env.held()

    def is_held(entity: Entity, record: Any) -> bool:
        text = held[entity].get(identity(record.get("id")) or "") if isinstance(record, dict) else None
        return text is not None and decode(json.loads(text)) == decode(_with_latest_by_id(entity, record))

    return [
        record
        for entity in ENTITIES
        for record in env.registry.records(entity.replace("_", "-"))
        if not is_held(entity, record) and (entity, decode(record)) not in kept
    ]


def _with_latest_by_id(entity: Entity, record: Any) -> Any:
    if entity != "models" or not isinstance(record, dict) or embedded_version(record) is None:
        return record
    return record | {"latest_version": {"id": identity(record["latest_version"]["id"])}}


def agreeing(batch: Iterable[BadRecord]) -> list[BadRecord]:
    """Return the records without those that contradict an earlier one about a subject."""
    known: dict[str, str] = {}
    agree = []
    for each in batch:
        trial = dict(known)
        if all(trial.setdefault(key, shared) == shared for key, shared in _subjects(each.record)):
            known = trial
            agree.append(each)
    return agree


def _subjects(record: Any) -> Iterator[tuple[str, str]]:
    """Yield the id and the shared columns of each subject in a record."""
    for part in (record, record.get("latest_version")):
        subject = part.get("created_by_subject") if isinstance(part, dict) else None
        if isinstance(subject, dict) and (key := identity(subject.get("subjectId"))):
            yield key, json.dumps({name: subject.get(name) for name in _SHARED})
