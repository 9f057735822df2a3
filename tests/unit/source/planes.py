"""Clients of a control plane that is a Python function, and single requests to a server."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any

import httpx

from etl.settings import Settings
from etl.source import Client, ListingReader
from etl.source.responses import Response
from etl.source.throttle import Throttle
from etl.source.transport import Transport
from tests.unit.source.conftest import Respond
from tests.unit.source.lists import MovingList

TOKEN = "secret-token-1234"

Handler = Callable[[httpx.Request], httpx.Response]


def settings(**changes: Any) -> Settings:
    return Settings(**{"host": "https://plane.example", "api_key": TOKEN, **changes})


def client_of(handler: Handler, *, throttle: Throttle | None = None, **changes: Any) -> Client:
    return Client(settings(**changes), transport=transport_of(handler), throttle=throttle)


def transport_of(handler: Handler) -> httpx.BaseTransport:
    """A transport that returns the responses of a function, with unread bodies."""

    def unread(request: httpx.Request) -> httpx.Response:
        response = handler(request)
        return httpx.Response(response.status_code, headers=response.headers, stream=response.stream)

    return httpx.MockTransport(unread)


def answers(*responses: httpx.Response) -> Handler:
    """A handler that returns these responses in order."""
    remaining = iter(responses)
    return lambda _request: next(remaining)


def parse_envelope(records: list[Any], total: int | None = None) -> httpx.Response:
    return httpx.Response(200, json={"data": records, "pagination": {"total": total}})


def serving(source: MovingList) -> Handler:
    """Serve the list as a control plane would."""

    def handler(request: httpx.Request) -> httpx.Response:
        page = source.page(int(request.url.params["offset"]), int(request.url.params["limit"]))
        return parse_envelope(page.records, page.total)

    return handler


def get(host: str, **changes: Any) -> Response:
    """Send one request for /models, and return the response."""
    opened = Transport(settings(host=host, **changes), TOKEN, Throttle(1))
    try:
        return opened.get("/models")
    finally:
        opened.close()


def responding(body: bytes, status: int = 200, **headers: str) -> Respond:
    def respond(server: BaseHTTPRequestHandler) -> None:
        server.send_response(status)
        for name, value in headers.items():
            server.send_header(name.replace("_", "-"), value)
        server.end_headers()
        server.wfile.write(body)

    return respond


class Recorder:
    """Passes requests to a handler, and records them."""

    def __init__(self, handler: Handler) -> None:
        self.received: list[httpx.Request] = []
        self._handler = handler
        self._lock = Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.received.append(request)
            return self._handler(request)

    def offsets(self) -> list[int]:
        return [int(request.url.params["offset"]) for request in self.received]

    def limits(self) -> list[int]:
        return [int(request.url.params["limit"]) for request in self.received]


def reader_of(handler: Handler, *, page_size: int = 3, concurrency: int = 2, max_sweeps: int = 3) -> ListingReader:
    client = client_of(handler, api_prefix="/api/ml/v1", concurrency=concurrency, max_retries=0)
    return ListingReader(client, page_size, concurrency, max_sweeps)
