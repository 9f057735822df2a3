"""Confirm deletes: fetch each missing model and version by id first."""

import logging
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from itertools import islice

from etl.enums import Entity
from etl.errors import SourceError, SourceUnavailable
from etl.records import identity
from etl.source import Client, Forbidden, fits_in_path
from etl.store import EmptiedRepo, Store, reconcile
from etl.sync import messages
from etl.sync.extract import Extraction

_MOST_NAMED = 5
_MOST_LISTED = 3
"""Listed records to fetch at most, to find out whether single records are served."""

_log = logging.getLogger(__name__)


class _Lookup(Enum):
    """The result of fetching one record by id."""

    DELETED = auto()
    FOUND = auto()
    MOVED = auto()
    """The record is in an ML repo outside the run's scope."""
    REFUSED = auto()
    """The control plane refused the request: the record may or may not exist."""
    UNANSWERED = auto()
    """All attempts of the request failed."""


def confirm_deletes(client: Client, store: Store, extraction: Extraction, most: int) -> None:
    """Fetch each missing model by id, then each missing version of other models, unless there are more than `most`.

    If the control plane still has one of them, or does not answer for it, the run deletes nothing. A record that moved
    to an ML repo outside the run's scope keeps its stored row, and so do a model's versions.
    """
    for lost in reconcile.emptied_repos(store.connection)[:_MOST_NAMED]:
        extraction.warn(_named(lost))
    for entity in (Entity.MODELS, Entity.MODEL_VERSIONS):
        missing = reconcile.missing_ids(store.connection, entity, limit=most + 1)
        if missing and len(missing) <= most:
            _cancel_unconfirmed(store, extraction, entity, _look_up(client, extraction, entity, missing))


def _cancel_unconfirmed(store: Store, extraction: Extraction, entity: Entity, lookups: Mapping[str, _Lookup]) -> None:
    """Cancel the deletes that the lookups do not confirm."""
    moved = [record_id for record_id, result in lookups.items() if result is _Lookup.MOVED]
    if moved:
        reconcile.cancel_deletes(store.connection, entity, moved)
        extraction.warn(messages.moved(entity, moved))
    kept = [record_id for record_id, result in lookups.items() if result not in {_Lookup.DELETED, _Lookup.MOVED}]
    if kept:
        reconcile.cancel_all_deletes(store.connection)
        extraction.unproven += 1
        extraction.warn(messages.unconfirmed(entity, kept))


def _look_up(client: Client, extraction: Extraction, entity: Entity, missing: Sequence[str]) -> dict[str, _Lookup]:
    """Fetch each missing record; empty if the control plane does not serve single ones.

    Such a control plane answers 404 for every id, which confirms nothing. To detect it, fetch a listed record first.
    """
    listed = _look_up_listed(client, extraction, entity)
    if listed is _Lookup.UNANSWERED:
        return dict.fromkeys(missing, listed)
    if listed in {_Lookup.DELETED, _Lookup.REFUSED}:
        _log.info("this control plane offers no GET /%s/ID: deletes rest on the lists alone", _path(entity))
        return {}
    lookups: dict[str, _Lookup] = {}
    for record_id in filter(fits_in_path, missing):  # for the others, the lists alone decide
        extraction.advance(entity, 0, None)
        result = _look_up_one(client, extraction, entity, record_id)
        if result is _Lookup.UNANSWERED or (listed and result is _Lookup.REFUSED):  # the failure may be transient
            result = _look_up_one(client, extraction, entity, record_id)
        lookups[record_id] = result
        if result is _Lookup.UNANSWERED:  # enough to delete nothing
            break
    if listed is None:  # without a listed record to compare with, a 404 proves nothing
        proofs = {_Lookup.FOUND, _Lookup.MOVED, _Lookup.UNANSWERED}
        lookups = {each: result for each, result in lookups.items() if result in proofs}
    return lookups


def _look_up_listed(client: Client, extraction: Extraction, entity: Entity) -> _Lookup | None:
    """Fetch a listed record, or a few: the first may have been deleted since. None if none is listed."""
    ids = list(islice(filter(fits_in_path, extraction.staging.seen_ids(entity)), _MOST_LISTED))
    results: set[_Lookup] = set()
    for each in (ids * 2)[: max(len(ids), 2)]:  # if only one is listed, try it twice: a failure may be transient
        result = _look_up_one(client, extraction, entity, each)
        if result in {_Lookup.FOUND, _Lookup.MOVED}:
            return result
        if result is _Lookup.REFUSED and result in results:
            break
        results.add(result)
    return _Lookup.UNANSWERED if _Lookup.UNANSWERED in results else next(iter(results), None)


def _look_up_one(client: Client, extraction: Extraction, entity: Entity, record_id: str) -> _Lookup:
    try:
        record = client.get(_path(entity), record_id)
    except (SourceError, Forbidden) as error:
        _log.info("cannot find out whether %s/%r exists: %s", _path(entity), record_id, error)
        return _Lookup.UNANSWERED if isinstance(error, SourceUnavailable) else _Lookup.REFUSED
    if record is None:
        return _Lookup.DELETED
    ml_repo, asked_for = identity(record.get("ml_repo_id")), extraction.scope.ml_repos
    return _Lookup.MOVED if asked_for and ml_repo is not None and ml_repo not in asked_for else _Lookup.FOUND


def _path(entity: Entity) -> str:
    return entity.replace("_", "-")


def _named(lost: EmptiedRepo) -> str:
    itself = "but the ML repo is still listed" if lost.listed else "and so is the ML repo"
    models = "The only model" if lost.models == 1 else f"All {lost.models} models"
    verb = "is" if lost.models == 1 else "are"
    return (
        f"{models} of ML repo {lost.id} ({lost.name or 'without a name'}) {verb} missing, {itself}: "
        "a token that lost a permission looks the same."
    )
