"""Well-formed pages with wrong content, and lists that change while they are read."""

import json
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from etl.simulator.faults.schedule import Fault, FaultContext, transformed
from etl.simulator.http_types import Proceed, Response, dumps, json_response
from etl.simulator.registry import Registry
from etl.simulator.stored_record import ML_REPOS, MODEL_VERSIONS, MODELS

_MARK = b'"pagination":'


def no_total() -> Fault:
    """Leave out `pagination.total`."""
    return transformed(lambda answer: _repaginated(answer, lambda pagination: pagination.pop("total", None)))


def wrong_total(by: str = "1") -> Fault:
    """Add a number to `pagination.total`, by default 1."""
    error = int(by)

    def shift(pagination: dict[str, Any]) -> None:
        pagination["total"] += error

    return transformed(lambda answer: _repaginated(answer, shift))


def total_is(value: str = "0") -> Fault:
    """Replace `pagination.total` by this JSON value."""
    total = json.loads(value)
    return transformed(lambda answer: _repaginated(answer, lambda pagination: pagination.update(total=total)))


def empty_page() -> Fault:
    """Return no records on pages after the first."""

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        answer = proceed()
        _, mark, tail = answer.body.rpartition(_MARK)
        if not mark or context.request.query.get("offset", ["0"]) == ["0"]:
            return answer
        return replace(answer, body=b'{"data":[],' + mark + tail)

    return Fault(apply)


def same_page() -> Fault:
    """Return the first page for every offset."""
    return _as_if_asked(lambda query: {"offset": ["0"]} if "offset" in query else {})


def long_pages(times: str = "2") -> Fault:
    """Return pages this many times as long as `limit`."""
    factor = int(times)
    return _as_if_asked(lambda query: {"limit": [str(int(each) * factor) for each in query.get("limit", [])]})


def endless_list(total: str = "null") -> Fault:
    """Return a full page of new records for every offset, with this JSON value as `total`."""
    named = json.loads(total)

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        query = context.request.query
        first = context.ask(replace(context.request, query=query | {"offset": ["0"], "limit": ["1"]}))
        if "offset" not in query or not (records := json.loads(first.body).get("data")):
            return proceed()
        offset, limit = (int(query[name][0]) for name in ("offset", "limit"))
        data = [records[0] | {"id": f"endless-{number}"} for number in range(offset, offset + limit)]
        return json_response({"data": data, "pagination": {"total": named, "offset": offset, "limit": limit}})

    return Fault(apply)


def moving(seed: str = "0") -> Fault:
    """Add, change or delete a record of the registry before each answer."""
    draw = random.Random(int(seed))  # noqa: S311 (no secret)
    one_at_a_time = threading.Lock()

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        with one_at_a_time:
            _move(context.registry, draw)
        return proceed()

    return Fault(apply)


def _as_if_asked(otherwise: Callable[[dict[str, list[str]]], dict[str, list[str]]]) -> Fault:
    """Answer another query than the one in the request."""

    def apply(context: FaultContext, _: Proceed) -> Response:
        query = context.request.query
        changed = {name: values for name, values in otherwise(query).items() if values}
        return context.ask(replace(context.request, query=query | changed))

    return Fault(apply)


def _repaginated(answer: Response, change: Callable[[dict[str, Any]], object]) -> Response:
    head, mark, tail = answer.body.rpartition(_MARK)
    if not mark:
        return answer
    # Parse only the end of the body: its data may be megabytes, and need not be valid JSON.
    pagination = json.loads(tail.removesuffix(b"}"))
    change(pagination)
    return replace(answer, body=head + mark + dumps(pagination) + b"}")


def _move(registry: Registry, draw: random.Random) -> None:
    moves: tuple[tuple[str, Callable[[str], object]], ...] = (
        (ML_REPOS, registry.add_model),
        (MODELS, registry.add_version),
        (MODELS, registry.touch),
        (MODEL_VERSIONS, registry.touch),
        (MODEL_VERSIONS, registry.delete_version),
    )
    entity, move = draw.choice(moves)
    if ids := registry.ids(entity):
        move(draw.choice(ids))
