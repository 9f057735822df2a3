"""A page becomes staged rows: each record is held against what is known of it, and only what changed goes on."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from etl.records import Entity, Sighting, Unreadable, changes, embedded_version, identity, rows, sight
from etl.store import Known, Seen, Staging
from etl.sync.scope import Scope

Rows = dict[str, list[tuple[Any, ...]]]


class Intake:
    """Takes pages of one run into its staging tables."""

    def __init__(self, staging: Staging, scope: Scope, *, log_changes: bool) -> None:
        """`log_changes` is off for the first load of a scope."""
        self._staging = staging
        self._scope = scope
        self._log_changes = log_changes
        self.nameless: set[Entity] = set()
        """Entities of which a record came that has no id: it may be any of those stored."""
        self.unread_models: set[str | None] = set()
        """Models of which a version was rejected: their versions are not all read. None stands for any model."""
        self.stale = 0
        """Records that came older than they are stored."""

    def take(self, entity: Entity, records: Sequence[Any]) -> bool:
        """Stage what is new or changed among the records of a page; a record may come again.

        Returns whether all of them could be read.
        """
        sightings: dict[str, Sighting] = {}
        readable = True
        for record in records:
            try:
                sighting = sight(entity, record)
            except Unreadable as error:
                self._reject(entity, record, str(error))
                readable = False
                continue
            if self._scope.covers(sighting) and not _is_older(sighting, sightings.get(sighting.id)):
                sightings[sighting.id] = sighting
        if sightings:
            self._stage(entity, sightings)
        return readable

    def _stage(self, entity: Entity, sightings: dict[str, Sighting]) -> None:
        known = self._staging.known(entity, list(sightings))
        news = [each for each in sightings.values() if not _came_before(each, known[each.id])]
        again = [each.id for each in news if known[each.id].seen_hash is not None]
        if again:
            self._staging.forget(entity, again)
        outcomes = {each.id: _outcome(each, known[each.id]) for each in news}
        stale = {each.id for each in news if _is_stale(each, known[each.id])}
        self.stale += len(stale)
        changed = [each for each in news if outcomes[each.id] != "unchanged" and each.id not in stale]
        staged: Rows = defaultdict(list)
        of_each = {each.id: rows(each) for each in changed}
        for each in changed:
            _collect(staged, each, of_each[each.id])
        if self._log_changes:
            staged["changes"] = self._changes(entity, outcomes, of_each)
        self._staging.stage(staged, [_seen(each, outcomes[each.id]) for each in news])
        if entity == "models":
            self._staging.mark_due(
                [
                    each.id
                    for each in sightings.values()
                    if each.fingerprint != known[each.id].versions_read_as or known[each.id].deleted
                ]
            )

    def _changes(self, entity: Entity, outcomes: dict[str, str], of_each: dict[str, Any]) -> list[tuple[Any, ...]]:
        told: list[tuple[Any, ...]] = []
        before = self._staging.stored(entity, [each for each in of_each if outcomes[each] != "inserted"])
        for record_id, outcome in outcomes.items():
            if outcome == "restored":
                told.append((entity, record_id, "restored", None, None, None))
            if record_id in of_each:
                told += changes(entity, record_id, before.get(record_id), of_each[record_id])
        return told

    def _reject(self, entity: Entity, record: Any, reason: str) -> None:
        payload = json.dumps(record)
        digest = hashlib.blake2b(payload.encode(), digest_size=16).hexdigest()
        said = record if isinstance(record, dict) else {}
        record_id = identity(said.get("id"))
        if record_id is None:
            self.nameless.add(entity)
        if entity == "model_versions":
            self.unread_models.add(identity(said.get("model_id")))
        key = record_id or f"unreadable:{digest}"
        known = self._staging.known(entity, [key])[key]
        if known.seen_hash == digest:
            return
        if known.seen_hash is not None:
            self._staging.forget(entity, [key])
        self._staging.stage(
            {"rejected_records": [(entity, record_id, reason, payload)]},
            [Seen(entity, key, "rejected", content_hash=digest)],
        )


def _is_older(one: Sighting, other: Sighting | None) -> bool:
    return other is not None and _before(one.updated_at, other.updated_at)


def _before(one: Any, other: Any) -> bool:
    return one is not None and other is not None and one < other


def _came_before(sighting: Sighting, known: Known) -> bool:
    """Whether this run has met the record already, as it is now or newer."""
    return known.seen_hash == sighting.content_hash or (
        known.seen_hash is not None and _before(sighting.updated_at, known.seen_updated_at)
    )


def _is_stale(sighting: Sighting, known: Known) -> bool:
    """An older record never overwrites a newer one; at equal times the content decides."""
    return _before(sighting.updated_at, known.stored_updated_at)


def _outcome(sighting: Sighting, known: Known) -> str:
    if known.stored_hash is None:
        return "inserted"
    if known.deleted:
        return "restored"
    same = known.stored_hash == sighting.content_hash or _is_stale(sighting, known)
    return "unchanged" if same else "updated"


def _seen(sighting: Sighting, outcome: str) -> Seen:
    latest = embedded_version(sighting.record) if sighting.entity == "models" else None
    return Seen(
        entity=sighting.entity,
        id=sighting.id,
        outcome=outcome,
        updated_at=sighting.updated_at,
        content_hash=sighting.content_hash,
        ml_repo_id=sighting.ml_repo_id,
        latest_version_id=None if latest is None else identity(latest["id"]),
        fingerprint=sighting.fingerprint,
    )


def _collect(staged: Rows, sighting: Sighting, of_record: Any) -> None:
    for name, of_table in of_record.items():
        if name == "subjects":  # shared between records: the newest sighting will win
            staged[name] += [(*row, sighting.updated_at) for row in of_table]
        else:
            staged[name] += of_table
