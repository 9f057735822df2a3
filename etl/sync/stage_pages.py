"""Turn a page into staged rows.

Each record is compared with the stored record and with earlier pages of the run; only changed records are staged.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from etl.enums import Entity, Outcome
from etl.records import (
    IdentifiedRecord,
    InvalidRecord,
    Record,
    Rows,
    SubjectRow,
    changes,
    identify,
    identify_derived,
    identity,
    to_rows,
)
from etl.store import Known, Observed, Staging
from etl.store.runs import CLOCK_SKEW
from etl.store.staging_tables import NO_ID
from etl.sync.scope import Scope

_TWIN = "another record has the same id, and updated_at does not say which is newer"


class _Reject(NamedTuple):
    """A record that cannot be stored, and why.

    `is_twin`: the same sweep had another record with its id before.
    """

    record: Any
    reason: str
    is_twin: bool


class StagedPage(NamedTuple):
    """The records of a page: those that can be stored, and those that were rejected.

    A record outside the run's scope, or older than another with its id, is in neither.
    """

    identified: list[IdentifiedRecord]
    rejected: list[Any]


def newest_credible() -> datetime:
    """The latest `updated_at` that shows which state of a record is newer.

    A time in the future is wrong: if it counted, a later state with a right time would never be stored.
    """
    return datetime.now(UTC) + CLOCK_SKEW


class PageStager:
    """Stages the pages of one run."""

    def __init__(self, staging: Staging, scope: Scope, *, first_load: bool) -> None:
        """`first_load`: do not log new records as created, in the first load of a scope."""
        self._staging = staging
        self._scope = scope
        self._first_load = first_load
        self.nameless: set[Entity] = set()
        """Entities with a record that has no id: it may be any stored record."""
        self.models_of_rejected: set[str | None] = set()
        """Models with a rejected version; None if its model is unknown."""
        self._has_model: dict[str, bool] = {}
        """Whether this run has read a model, by its id."""
        self.stale = 0
        """The number of records that are older than the stored ones."""
        self.ahead = 0
        """The number of new and changed records whose `updated_at` is in the future."""

    def warnings(self) -> Iterator[str]:
        """Say which records have an unusual `updated_at`."""
        if self.stale:
            noun = "record is" if self.stale == 1 else "records are"
            yield f"{self.stale} {noun} older than stored: the newer one was kept."
        if self.ahead:
            noun = "record has" if self.ahead == 1 else "records have"
            yield (
                f"{self.ahead} {noun} an updated_at in the future, or this machine's clock is behind: each was stored "
                "as it is, and its next state will replace it, whatever its time."
            )

    def take(self, entity: Entity, records: Sequence[Any], again: Container[int] = ()) -> StagedPage:
        """Stage the new and changed records of a page.

        `again` has the positions of records whose id occurred before in the same sweep. Two records with one id are two
        states of one record if their `updated_at` differs. Otherwise they are two records: the first is kept, and the
        second is rejected.
        """
        by_id: dict[str, IdentifiedRecord] = {}
        twins: set[str] = set()
        rejects: list[_Reject] = []
        for place, record in enumerate(records):
            try:
                identified = identify(entity, record)
            except InvalidRecord as error:
                rejects.append(_Reject(record, error.reason, place in again))
                continue
            other = by_id.get(identified.id)
            if not self._covers(identified) or _is_older(identified, other):
                continue
            if other is not None and _is_twin(identified, other.content_hash, other.updated_at):
                rejects.append(_Reject(record, _TWIN, is_twin=True))
                continue
            by_id[identified.id] = identified
            if place in again:
                twins.add(identified.id)
        if by_id:
            rejects += self._stage(entity, by_id, twins)
        for reject in rejects:
            self._reject(entity, reject)
        return StagedPage(list(by_id.values()), [reject.record for reject in rejects])

    def _covers(self, identified: IdentifiedRecord) -> bool:
        """Whether a record is in the scope. A version is, too, if this run has read its model."""
        if self._scope.covers(identified):
            return True
        model_id = identified.model_id
        if identified.entity is not Entity.MODEL_VERSIONS or model_id is None:
            return False
        if model_id not in self._has_model:
            self._has_model[model_id] = self._staging.known(Entity.MODELS, [model_id])[model_id].seen_hash is not None
        return self._has_model[model_id]

    def take_derived(self, ml_repos: Sequence[Record]) -> None:
        """Stage ML repos that are derived from models and not listed.

        One that is stored from a list stays unchanged.
        """
        if ml_repos:
            self._stage(Entity.ML_REPOS, {each.id: each for each in map(identify_derived, ml_repos)}, set())

    def _stage(self, entity: Entity, by_id: dict[str, IdentifiedRecord], again: set[str]) -> list[_Reject]:
        """Stage the changed records; return those rejected as twins of records on an earlier page."""
        latest = newest_credible()
        known = {each: _credible(was, latest) for each, was in self._staging.known(entity, list(by_id)).items()}
        seen = {each: (known[each].seen_hash, known[each].seen_updated_at) for each in again}
        twins = [by_id.pop(each) for each, was in seen.items() if was[0] is not None and _is_twin(by_id[each], *was)]
        news = [each for each in by_id.values() if not _came_before(each, known[each.id])]
        observed_before = [each.id for each in news if known[each.id].seen_hash is not None]
        if observed_before:
            self._staging.forget(entity, observed_before)
        outcomes = {each.id: _outcome(each, known[each.id]) for each in news}
        stale = {each.id for each in news if _is_stale(each, known[each.id])}
        self.stale += len(stale)
        self.ahead += sum(_before(latest, each.updated_at) for each in news)
        kept = stale | {each.id for each in news if _yields(each, known[each.id])}
        changed = [each for each in news if outcomes[each.id] is not Outcome.UNCHANGED and each.id not in kept]
        staged: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        of_each = {each.id: to_rows(each) for each in changed}
        for each in changed:
            for name, of_table in of_each[each.id].items():
                staged[name] += of_table
        staged["subjects"] = _subjects(changed, of_each)
        logged = {
            record_id: outcome
            for record_id, outcome in outcomes.items()
            if not (self._first_load and outcome is Outcome.INSERTED)
        }
        staged["changes"] = self._changes(entity, logged, of_each)
        self._staging.stage(staged, [_observed(each, outcomes[each.id]) for each in news])
        if entity is Entity.MODELS:
            self._staging.mark_due(
                [
                    each.id
                    for each in by_id.values()
                    if each.change_hash != known[each.id].read_change_hash or known[each.id].deleted
                ]
            )
        return [_Reject(each.record, _TWIN, is_twin=True) for each in twins]

    def _changes(self, entity: Entity, outcomes: dict[str, Outcome], of_each: dict[str, Rows]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        stored = [each for each in of_each if outcomes.get(each, Outcome.INSERTED) is not Outcome.INSERTED]
        before = self._staging.stored(entity, stored)
        for record_id, outcome in outcomes.items():
            if outcome is Outcome.RESTORED:
                found.append((entity, record_id, "restored", None, None, None))
            if record_id in of_each:
                found += changes(entity, record_id, before.get(record_id), of_each[record_id])
        return found

    def _reject(self, entity: Entity, reject: _Reject) -> None:
        payload = json.dumps(reject.record)
        digest = hashlib.blake2b(payload.encode(), digest_size=16).hexdigest()
        fields = reject.record if isinstance(reject.record, dict) else {}
        record_id = identity(fields.get("id"))
        if record_id is None:
            self.nameless.add(entity)
        if entity is Entity.MODEL_VERSIONS:
            self.models_of_rejected.add(identity(fields.get("model_id")))
        by_digest = f"{NO_ID}{digest}"
        keys = [by_digest] if record_id is None else [record_id, by_digest]
        known = self._staging.known(entity, keys)
        if digest in {known[key].seen_hash for key in keys}:
            return
        key, twin_of = keys[0], None
        if known[key].seen_hash is not None:
            if reject.is_twin:
                key, twin_of = by_digest, record_id
            else:
                self._staging.forget(entity, [key])
        self._staging.stage(
            {"rejected_records": [(entity, record_id, reject.reason, payload)]},
            [Observed(entity, key, Outcome.REJECTED, content_hash=digest, twin_of=twin_of)],
        )


def _is_twin(identified: IdentifiedRecord, content_hash: str | None, updated_at: datetime | None) -> bool:
    """Whether this is a second record with the same id, and not another state of the first."""
    moved = _before(identified.updated_at, updated_at) or _before(updated_at, identified.updated_at)
    return identified.content_hash != content_hash and not moved


def _is_older(one: IdentifiedRecord, other: IdentifiedRecord | None) -> bool:
    return other is not None and _before(one.updated_at, other.updated_at)


def _before(one: Any, other: Any) -> bool:
    return one is not None and other is not None and one < other


def _credible(known: Known, latest: datetime) -> Known:
    """What is known, without a stored `updated_at` that is in the future, or was when it was stored."""
    limit = latest if known.stored_at is None else min(latest, known.stored_at + CLOCK_SKEW)
    return known._replace(stored_updated_at=None) if _before(limit, known.stored_updated_at) else known


def _came_before(identified: IdentifiedRecord, known: Known) -> bool:
    """Whether this run has already read the record in this state or a newer one."""
    return known.seen_hash == identified.content_hash or (
        known.seen_hash is not None and _before(identified.updated_at, known.seen_updated_at)
    )


def _is_stale(identified: IdentifiedRecord, known: Known) -> bool:
    """Whether the record is older than the stored one, which it must not overwrite.

    At equal times the content decides.
    """
    return _before(identified.updated_at, known.stored_updated_at)


def _yields(identified: IdentifiedRecord, known: Known) -> bool:
    """Whether a derived ML repo must not overwrite the stored one, which was read from a list."""
    return identified.is_derived and known.stored_hash is not None and not known.is_derived


def _outcome(identified: IdentifiedRecord, known: Known) -> Outcome:
    if known.stored_hash is None:
        return Outcome.INSERTED
    if known.deleted:
        return Outcome.RESTORED
    same = known.stored_hash == identified.content_hash or _is_stale(identified, known) or _yields(identified, known)
    return Outcome.UNCHANGED if same else Outcome.UPDATED


def _observed(identified: IdentifiedRecord, outcome: Outcome) -> Observed:
    latest = identified.latest_version
    return Observed(
        entity=identified.entity,
        id=identified.id,
        outcome=outcome,
        updated_at=identified.updated_at,
        content_hash=identified.content_hash,
        ml_repo_id=identified.ml_repo_id,
        latest_version_id=None if latest is None else identity(latest["id"]),
        change_hash=identified.change_hash,
    )


def _subjects(changed: Sequence[IdentifiedRecord], of_each: dict[str, Rows]) -> list[tuple[Any, ...]]:
    """Return a page's subjects, each with the newest `updated_at` of the records that name it.

    The merge keeps the newest of all pages.
    """
    newest: dict[Any, tuple[Any, ...]] = {}
    for each in changed:
        for row in map(SubjectRow._make, of_each[each.id]["subjects"]):
            key = row if row.extra is None else (each.id, row.id)  # rows with JSON are not hashable: keep each of them
            if key not in newest or newest[key][-1] is None or _before(newest[key][-1], each.updated_at):
                newest[key] = (*row, each.updated_at)
    return list(newest.values())
