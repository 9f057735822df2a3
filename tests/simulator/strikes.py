"""Faults that strike requests which would all be answered well."""

from etl.simulator import Registry, fault
from etl.simulator.exchange import Answer, Request, json_answer
from etl.simulator.faults import Circumstances

GOOD = json_answer({"data": [{"id": "a"}], "pagination": {"total": 1, "offset": 0, "limit": 100}})


def circumstances(
    endpoint: str, registry: Registry | None = None, query: dict[str, str] | None = None
) -> Circumstances:
    """Those of a request with such a query."""
    request = Request(path="/", query={name: [value] for name, value in (query or {}).items()})
    return Circumstances(request=request, endpoint=endpoint, registry=registry or Registry(), ask=_echo)


def struck(written: str, requests: int = 1, endpoint: str = "models", **query: str) -> list[Answer]:
    """What a client gets for so many requests."""
    one = fault(written)
    return [one(circumstances(endpoint, query=query), lambda: GOOD) for _ in range(requests)]


def statuses(written: str, requests: int, endpoint: str = "models", **query: str) -> list[int]:
    return [answer.status for answer in struck(written, requests, endpoint, **query)]


def _echo(request: Request) -> Answer:
    """An answer that tells which query it is to."""
    return json_answer(request.query)
