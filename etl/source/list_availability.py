"""Which lists, besides models, the control plane offers this token."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from etl.errors import RequestRefused
from etl.source.client import Client
from etl.source.exceptions import Forbidden, NotOffered

Refusal = Forbidden | RequestRefused
"""Why a list cannot be read."""

VERSIONS = "model-versions"

_NEEDS_A_FILTER = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})


def is_withheld(refusal: Refusal) -> bool:
    """Whether the list is not offered, not allowed, or requires a filter; else it is a fault."""
    return isinstance(refusal, Forbidden | NotOffered) or refusal.status in _NEEDS_A_FILTER


def refusal_of_versions(
    client: Client, ml_repos: Sequence[str], model_id: str | None, *, within: bool = False
) -> Refusal | None:
    """Return why no form of the version list can be read, or None if one can.

    The forms are: all versions, those of an ML repo, those of the model. `within` skips the first, because only
    versions within the ML repos are needed. A control plane may offer only one form, and a token may read only some ML
    repos. Without a model, the last form cannot be tried: then only a 403 or a 404 says that there is none.
    """
    refusals: list[Refusal] = []
    for form in _forms(ml_repos, model_id, within=within):
        for filters in form:
            try:
                client.probe(VERSIONS, filters)
            except (Forbidden, RequestRefused) as refusal:
                if not is_withheld(refusal):
                    raise
                refusals.append(refusal)
                if isinstance(refusal, NotOffered):
                    break
            else:
                return None
    if model_id is None and not any(isinstance(each, Forbidden | NotOffered) for each in refusals):
        return None
    return next((each for each in refusals if isinstance(each, Forbidden)), refusals[0])


def _forms(
    ml_repos: Sequence[str], model_id: str | None, *, within: bool
) -> Iterator[list[tuple[tuple[str, str], ...]]]:
    if not within:
        yield [()]
    yield [(("ml_repo_id", each),) for each in ml_repos]
    if model_id is not None:
        yield [(("model_id", model_id),)]


def explain_refusal(what: str, refusal: Refusal) -> str:
    """Say why the list of `what` cannot be read."""
    if isinstance(refusal, Forbidden):
        return f"the token may not list {what} (403; grant it permission to read them)"
    found = "something else answers at its address" if refusal.status == HTTPStatus.OK else refusal.status
    return f"the list of {what} is not offered here ({found})"
