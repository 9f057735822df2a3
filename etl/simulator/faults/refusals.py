"""Errors, HTML pages and redirects instead of the answer."""

import itertools
import time
from dataclasses import replace
from email.utils import formatdate

from etl.simulator.faults.schedule import Fault, FaultContext, always
from etl.simulator.http_types import Proceed, Response, forbidden_response, html_response, not_offered_response, refusal
from etl.simulator.stored_record import MODEL_VERSIONS, MODELS


def rate_limit(retry_after: str = "0") -> Fault:
    """Return 429 with a `Retry-After` in seconds, as a `date` one second ahead, or with `none`."""
    if retry_after not in {"date", "none"}:
        float(retry_after)

    def apply(_: FaultContext, __: Proceed) -> Response:
        asked = formatdate(time.time() + 1, usegmt=True) if retry_after == "date" else retry_after
        headers = () if retry_after == "none" else (("Retry-After", asked),)
        return refusal(429, "Too many requests.", headers=headers)

    return Fault(apply)


def flaky_500(status: str = "500") -> Fault:
    """Return a transient server error."""
    return always(refusal(int(status), "Internal server error."))


def html_page() -> Fault:
    """Return an HTML page with status 200, such as a login page or that of a proxy."""
    return always(html_response())


def redirect(target: str = "https://elsewhere.example/login") -> Fault:
    """Redirect to another host, to which no token may be sent."""
    return always(Response(status=302, headers=(("Location", target),)))


def forbid(endpoint: str = "") -> Fault:
    """Return 403 for all requests, or for one endpoint."""
    return replace(always(forbidden_response()), endpoint=endpoint)


def not_offered(status: str = "404") -> Fault:
    """Answer as if the list did not exist: with this status, or with `html` for the HTML page with 200.

    Single models are still served, as by a control plane without the list of models.
    """
    answer = not_offered_response(None if status == "html" else _error_status(status))

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        parent = context.request.path.rstrip("/").rpartition("/")[0]
        single_model = context.endpoint == MODELS and parent.endswith(f"/{MODELS}")
        return proceed() if single_model else answer

    return Fault(apply)


def _error_status(written: str) -> int:
    """Parse an HTTP error status. Raises ValueError."""
    if int(written) not in range(400, 600):
        raise ValueError(f"{written} is not the HTTP status of an error.")
    return int(written)


def forbid_unfiltered(endpoint: str = MODEL_VERSIONS) -> Fault:
    """Return 403 for lists of the whole tenant, but not for those of an ML repo or a model."""

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        if context.request.query.keys() & {"ml_repo_id", "model_id"}:
            return proceed()
        return refusal(403, "Forbidden: the token may not read all of the tenant.")

    return Fault(apply, endpoint=endpoint)


def expired_token_after(requests: str = "1") -> Fault:
    """Return 401 after this many requests."""
    last, seen = int(requests), itertools.count(1)

    def apply(_: FaultContext, proceed: Proceed) -> Response:
        return proceed() if next(seen) <= last else refusal(401, "Unauthorized: the token has expired.")

    return Fault(apply)
