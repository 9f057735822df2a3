"""Requests and answers, as server, routes and faults exchange them."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

_encode = json.JSONEncoder(separators=(",", ":")).encode
HTML_PAGE = b"<!doctype html><title>TrueFoundry</title><div id=root></div>"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request; `number` counts from 1 during the life of the simulator."""

    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    method: str = "GET"
    number: int = 1
    authorization: str = ""
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer, and the faults to apply while it is sent."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    sent: int | None = None
    """Send only this number of bytes of `body`, although Content-Length is that of the whole body."""
    stream: Iterable[bytes] = ()
    """Further bytes to send after those."""
    delay: float = 0.0
    """Seconds to wait before the answer."""
    stall: bool = False
    """Send nothing more until one side closes the connection."""
    reset: bool = False
    """Reset the connection, before the first byte unless `sent` is set."""
    raw: Iterable[bytes] = ()
    """Send these bytes instead, status line and headers included."""


Proceed = Callable[[], Response]


def dumps(value: Any) -> bytes:
    """Serialize as the source does: with bare NaN, and with lone surrogates escaped."""
    return _encode(value).encode("ascii")


def json_response(value: Any, status: int = 200, *, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return a JSON answer."""
    return Response(status=status, body=dumps(value), headers=headers)


def refusal(status: int, message: str, *, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """Return an error in the format of the control plane."""
    return json_response({"statusCode": status, "message": message}, status, headers=headers)


def not_offered_response(status: int | None) -> Response:
    """Return the answer for a list that is not offered; without a status, the HTML page with 200."""
    return html_response() if status is None else refusal(status, "This control plane does not offer the list.")


def forbidden_response() -> Response:
    """Return a 403: the token may not read the list."""
    return refusal(403, "Forbidden: the token may not read this.")


def html_response() -> Response:
    """Return the HTML page that the control plane serves, with status 200, for unknown paths."""
    return Response(body=HTML_PAGE, content_type="text/html; charset=utf-8")
