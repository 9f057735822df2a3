"""Confirm deletes: fetch each missing model by id first."""

import logging
from collections.abc import Sequence
from enum import Enum, auto

from etl.enums import Entity
from etl.errors import SourceError
from etl.records import identity
from etl.source import Client, Forbidden, fits_in_path
from etl.store import EmptiedRepo, Store, reconcile
from etl.sync.extract import Extraction

_MOST_NAMED = 5

_log = logging.getLogger(__name__)


class _Lookup(Enum):
    """The result of fetching one model by id."""

    DELETED = auto()
    FOUND = auto()
    MOVED = auto()
    """The model is in an ML repo outside the run's scope."""
    UNKNOWN = auto()
    """The request failed: the model may or may not exist."""


def confirm_deletes(client: Client, store: Store, extraction: Extraction, most: int) -> None:
    """Fetch each missing model by id, unless there are more than `most`.

    If the control plane still has one of them, or does not answer for it, the run deletes nothing. A model that moved
    to an ML repo outside the run's scope keeps its stored row, and so do its versions.
    """
    for lost in reconcile.emptied_repos(store.connection)[:_MOST_NAMED]:
        extraction.warn(_named(lost))
    missing = reconcile.missing_ids(store.connection, Entity.MODELS)
    if len(missing) > most:
        return
    lookups = _look_up(client, extraction, missing)
    moved = [model_id for model_id, result in lookups.items() if result is _Lookup.MOVED]
    if moved:
        reconcile.cancel_deletes(store.connection, moved)
        extraction.warn(
            f"{_models(moved)} in another ML repo now ({', '.join(moved[:_MOST_NAMED])}): nothing about them changes "
            "until a run reads that one too."
        )
    kept = [model_id for model_id, result in lookups.items() if result in {_Lookup.FOUND, _Lookup.UNKNOWN}]
    if kept:
        reconcile.cancel_deletes(store.connection)
        extraction.unproven += 1
        extraction.warn(
            f"{_models(kept)} missing in the lists, but the control plane returns each of them by its id, or "
            f"does not say that it was deleted ({', '.join(kept[:_MOST_NAMED])}): nothing is deleted."
        )


def _look_up(client: Client, extraction: Extraction, missing: list[str]) -> dict[str, _Lookup]:
    """Fetch each missing model; empty if the control plane does not serve single models.

    Such a control plane answers 404 for every id, which confirms nothing. To detect it, fetch a listed model first.
    """
    if not missing:
        return {}
    offered = _offers_single_models(client, extraction)
    if offered is False:
        _log.info("this control plane offers no single models (GET /models/ID): the lists alone say what is missing")
        return {}
    lookups: dict[str, _Lookup] = {}
    for model_id in filter(fits_in_path, missing):  # for the others, the lists alone decide
        extraction.advance(Entity.MODELS, 0, None)
        lookups[model_id] = _look_up_one(client, extraction, model_id)
        if offered and lookups[model_id] is _Lookup.UNKNOWN:  # retry: the failure may be transient
            lookups[model_id] = _look_up_one(client, extraction, model_id)
    if offered is None:  # without a listed model to compare with, a 404 proves nothing
        lookups = {each: result for each, result in lookups.items() if result in {_Lookup.FOUND, _Lookup.MOVED}}
    return lookups


def _offers_single_models(client: Client, extraction: Extraction) -> bool | None:
    """Whether a listed model can be fetched by id; None if no model is listed."""
    listed = extraction.staging.seen_ids(Entity.MODELS)
    witness = next((each for each in listed if fits_in_path(each)), None)
    if witness is None:
        return None
    # Try twice, because the first failure may be transient. After a False, deletes rest on the lists alone.
    return any(_look_up_one(client, extraction, witness) in {_Lookup.FOUND, _Lookup.MOVED} for _ in range(2))


def _look_up_one(client: Client, extraction: Extraction, model_id: str) -> _Lookup:
    try:
        record = client.get("models", model_id)
    except (SourceError, Forbidden) as error:
        _log.info("cannot find out whether model %r exists: %s", model_id, error)
        return _Lookup.UNKNOWN
    if record is None:
        return _Lookup.DELETED
    ml_repo, asked_for = identity(record.get("ml_repo_id")), extraction.scope.ml_repos
    return _Lookup.MOVED if asked_for and ml_repo is not None and ml_repo not in asked_for else _Lookup.FOUND


def _models(ids: Sequence[str]) -> str:
    return "1 model is" if len(ids) == 1 else f"{len(ids)} models are"


def _named(lost: EmptiedRepo) -> str:
    itself = "but the ML repo is still listed" if lost.listed else "and so is the ML repo"
    models = "The only model" if lost.models == 1 else f"All {lost.models} models"
    verb = "is" if lost.models == 1 else "are"
    return (
        f"{models} of ML repo {lost.id} ({lost.name or 'without a name'}) {verb} missing, {itself}: "
        "a token that lost a permission looks the same."
    )
