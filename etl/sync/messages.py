"""Pure: the wording of warnings and errors about lists."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from etl.enums import Entity
from etl.errors import UnknownMlRepo
from etl.setting_names import name_of
from etl.source import Forbidden, Listing
from etl.source.exceptions import InvalidPath
from etl.source.list_availability import Refusal, explain_refusal

_MOST_NAMED = 5
_CONSEQUENCES = {
    "model versions": "only the latest version of each model is copied",
    "ML repos": "ML repos are derived from their models",
}


def list_label(listing: Listing) -> str:
    """Name a list, with its filters."""
    filters = " and ".join(f"{name}={value}" for name, value in listing.filters)
    return f"The list of {listing.endpoint}{' with ' if filters else ''}{filters}"


def cannot_be_read(listing: Listing, refusal: Refusal) -> str:
    """Say that a list that was offered cannot be read in this run."""
    status = HTTPStatus.FORBIDDEN if isinstance(refusal, Forbidden) else refusal.status
    why = "its id cannot be part of a URL" if isinstance(refusal, InvalidPath) else f"{status:d}"
    return f"{list_label(listing)} cannot be read ({why}): the next run tries again, nothing is deleted."


def consequence(missing: Sequence[str]) -> str:
    """Say what the run does without the missing lists."""
    text = ", and ".join(_CONSEQUENCES[what] for what in reversed(missing))
    return f"{text[0].upper()}{text[1:]}."


def offers_less(lost: Sequence[str]) -> str:
    """Say which lists of the last complete run the control plane no longer offers."""
    return (
        f"The control plane offers less than in the last complete run: {'; '.join(lost)}. Nothing is deleted. "
        f"If that is right, run once with {name_of('accept_coverage')}."
    )


def stopped_listing_versions(refusal: Refusal) -> str:
    """Say that the control plane refuses lists of versions that it has served before in this run."""
    return (
        f"The versions of the other models cannot be read: {explain_refusal('model versions', refusal)}. Their "
        "latest versions are copied, nothing is deleted."
    )


def latest_versions_not_listed(number: int) -> str:
    """Say that lists of versions do not return the latest versions that models embed."""
    if number == 1:
        return (
            "The list of versions of 1 model lacks its latest version: it is copied from the model, and no version of "
            "that model is deleted."
        )
    return (
        f"The lists of versions of {number} models lack their latest versions: they are copied from the models, and no "
        "version of those models is deleted."
    )


def moved(entity: Entity, ids: Sequence[str]) -> str:
    """Say that records are in an ML repo outside the run's scope now."""
    rows = "its stored row stays" if len(ids) == 1 else "their stored rows stay"
    return (
        f"{_counted(entity, ids)} moved to an ML repo outside this run ({_first(ids)}): {rows} unchanged until a run "
        "includes that ML repo."
    )


def unconfirmed(entity: Entity, ids: Sequence[str]) -> str:
    """Say that requests by id do not confirm deletes."""
    verb, they = ("is", "it was") if len(ids) == 1 else ("are", "they were")
    return (
        f"{_counted(entity, ids)} {verb} missing from the lists, but requests by id do not confirm that {they} deleted "
        f"({_first(ids)}): nothing is deleted."
    )


def models_keep_changing(number: int) -> str:
    """Say that the latest versions of models changed again and again while the run read their versions."""
    models, their = ("1 model", "its") if number == 1 else (f"{number} models", "their")
    return f"{models} changed while the run read {their} versions: nothing is deleted, the next run reads them again."


def ml_repo_label(ml_repo: dict[str, Any]) -> str:
    """Return an ML repo's id, with its name if it has one."""
    manifest = ml_repo.get("manifest")
    name = manifest.get("name") if isinstance(manifest, dict) else None
    return f"{ml_repo.get('id')} ({name})" if name else str(ml_repo.get("id"))


def unknown_ml_repos(unknown: Sequence[str], listed: Iterable[str]) -> UnknownMlRepo:
    """Return the error about ML repos that are not listed, with the labels of some that are."""
    some = ", ".join(list(listed)[:10]) or "none"
    message = f"The control plane has no ML repo with the id {unknown[0]!r}: it lists {some}."
    return UnknownMlRepo(message, ml_repos=tuple(unknown))


def _counted(entity: Entity, ids: Sequence[str]) -> str:
    noun = "version" if entity is Entity.MODEL_VERSIONS else "model"
    return f"1 {noun}" if len(ids) == 1 else f"{len(ids)} {noun}s"


def _first(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_MOST_NAMED])
