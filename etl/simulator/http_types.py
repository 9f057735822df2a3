"""What passes between the server, its routes and its faults: one request and one answer."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

HTML_PAGE = b"<!doctype html><title>TrueFoundry</title><div id=root></div>"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it arrived; `number` counts from 1 over the life of the simulator."""

    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    method: str = "GET"
    number: int = 1
    authorization: str = ""
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer, and what a fault wants to go wrong while it is sent.

    Of `body` only the first `sent` bytes leave, although the whole length is announced; after them comes what
    `stream` gives. With `stall` nothing more is sent until one side hangs up. With `reset` the connection
    breaks, before a single byte if `sent` does not say otherwise. `delay` is in seconds.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    sent: int | None = None
    stream: Iterable[bytes] = ()
    delay: float = 0.0
    stall: bool = False
    reset: bool = False


Proceed = Callable[[], Answer]


def dumps(value: Any) -> bytes:
    """JSON as the source writes it. NaN stays bare and a lone surrogate is escaped: both do arrive."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def json_answer(value: Any, status: int = 200, *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """A value as a JSON answer."""
    return Answer(status=status, body=dumps(value), headers=headers)


def refusal(status: int, message: str, *, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An error in the shape of the control plane's own services."""
    return json_answer({"statusCode": status, "message": message}, status, headers=headers)


def not_offered_answer(status: int | None) -> Answer:
    """The answer for a list that this control plane does not have; without a status, the HTML page with 200."""
    return html_answer() if status is None else refusal(status, "This control plane does not offer the list.")


def forbidden_answer() -> Answer:
    """403: the token may not read the list."""
    return refusal(403, "Forbidden: the token may not read this.")


def html_answer() -> Answer:
    """The page that the edge serves, with status 200, for every path it does not know."""
    return Answer(body=HTML_PAGE, content_type="text/html; charset=utf-8")
