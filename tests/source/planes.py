"""Clients of a control plane that is a function from request to response."""

from collections.abc import Callable
from typing import Any

import httpx

from etl.settings import Settings
from etl.source import Client
from etl.source.retry import Gate
from tests.source.lists import MovingList

TOKEN = "secret-token-1234"

Handler = Callable[[httpx.Request], httpx.Response]


def settings(**given: Any) -> Settings:
    return Settings(**{"host": "https://plane.example", "api_key": TOKEN, **given})


def client_of(handler: Handler, *, gate: Gate | None = None, **given: Any) -> Client:
    return Client(settings(**given), transport=httpx.MockTransport(handler), gate=gate)


def answers(*responses: httpx.Response) -> Handler:
    """One response after the other."""
    coming = iter(responses)
    return lambda _request: next(coming)


def envelope(records: list[Any], total: int | None = None) -> httpx.Response:
    return httpx.Response(200, json={"data": records, "pagination": {"total": total}})


def serving(source: MovingList) -> Handler:
    """The list as a control plane would serve it."""

    def handler(request: httpx.Request) -> httpx.Response:
        page = source.page(int(request.url.params["offset"]), int(request.url.params["limit"]))
        return envelope(page.records, page.total)

    return handler
