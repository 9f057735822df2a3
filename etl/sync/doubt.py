"""What the lists no longer have is doubted before it is taken for deleted."""

import logging

from etl.source import Client
from etl.store import LostRepo, Store
from etl.sync.reading import Readings

_MOST_NAMED = 5

_log = logging.getLogger(__name__)


def doubt(client: Client, store: Store, readings: Readings, most: int) -> None:
    """Ask for each missing model by itself, unless there are more than `most`: if one is still there, nothing goes."""
    for lost in store.lost_repos()[:_MOST_NAMED]:
        readings.warn(_told(lost))
    missing = store.doomed_models()
    if len(missing) > most:
        return
    kept = _still_there(client, readings, missing)
    if kept:
        store.reprieve()
        readings.unproven += 1
        readings.warn(
            f"{len(kept)} models are in no list, but asked for by itself the control plane has each of them, or does "
            f"not say that it is gone ({', '.join(kept[:_MOST_NAMED])}): nothing is deleted."
        )


def _still_there(client: Client, readings: Readings, missing: list[str]) -> list[str]:
    """Those that the control plane has, or of which it tells nothing though it tells of others."""
    kept: list[str] = []
    tells_of_others = False
    for model_id in missing:
        readings.advance("models", 0, None)
        has = client.has("models", model_id)
        if has is None and not tells_of_others:
            witness = next(readings.staging.seen_ids("models"), None)
            tells_of_others = witness is not None and client.has("models", witness) is True
            if not tells_of_others:
                _log.info("this control plane does not tell of single models: the lists alone say what is gone")
                return kept
        if has is not False:
            kept.append(model_id)
    return kept


def _told(lost: LostRepo) -> str:
    itself = "it is still listed itself" if lost.listed else "and so is the ML repo"
    return (
        f"All {lost.models} models of ML repo {lost.id} ({lost.name or 'without a name'}) are gone, {itself}: "
        "a token that lost a permission looks the same."
    )
