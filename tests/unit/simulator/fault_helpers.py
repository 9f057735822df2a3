"""Apply faults to requests that would get a good response."""

from etl.simulator import Registry, fault
from etl.simulator.faults import FaultContext
from etl.simulator.http_types import Request, Response, json_response

GOOD = json_response({"data": [{"id": "a"}], "pagination": {"total": 1, "offset": 0, "limit": 100}})


def context(endpoint: str, registry: Registry | None = None, query: dict[str, str] | None = None) -> FaultContext:
    """Return the context of a request with this query."""
    request = Request(path="/", query={name: [value] for name, value in (query or {}).items()})
    return FaultContext(request=request, endpoint=endpoint, registry=registry or Registry(), ask=_echo)


def answers_of(spec: str, requests: int = 1, endpoint: str = "models", **query: str) -> list[Response]:
    """Return the answers to this many requests."""
    injected = fault(spec)
    return [injected(context(endpoint, query=query), lambda: GOOD) for _ in range(requests)]


def statuses(spec: str, requests: int, endpoint: str = "models", **query: str) -> list[int]:
    return [answer.status for answer in answers_of(spec, requests, endpoint, **query)]


def _echo(request: Request) -> Response:
    """Return the query of the request as the answer."""
    return json_response(request.query)
