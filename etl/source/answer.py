"""From status and body to the parsed envelope, or to the error that says what to do.

JSON is read by the standard library: NaN, lone surrogates and large integers, which servers do send,
arrive as they are.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from etl.errors import ConfigError, RequestRefused, SourceError, TokenRefused
from etl.source.retry import Passing, retry_after

Shape = type[list[Any]] | type[dict[str, Any]]

_EXCERPT = 200
_RETRIED = frozenset({408, 425, 429})
_ADVICE = {
    400: "check the filters and options given",
    401: "it may have expired; give a valid one by TFY_API_KEY or --api-key-file",
    403: "the token may not read this; allow it, or give one that may",
    404: "check the ids and filters given, and --api-prefix",
}


class Malformed(Passing):
    """An answer that claims success and is not what was asked for."""


class Forbidden(TokenRefused):
    """403: the token is known, but may not read this."""


class LimitRefused(RequestRefused):
    """The page asked for is too large; `named` are the numbers in the answer, perhaps the most it allows."""

    def __init__(self, message: str, *, status: int, body: str, named: tuple[int, ...]) -> None:
        """Keep the numbers for whoever asks next."""
        super().__init__(message, status=status, body=body)
        self.named = named


class TooLarge(SourceError):
    """The answer passes the size bound."""


@dataclass(frozen=True)
class Answer:
    """What came over the wire: `path` was asked, `headers` are found in any case, `body` is unpacked."""

    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def scrub(text: str, secret: str) -> str:
    """Text from outside made fit for one line: short, printable, without the token."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return re.sub(rf"{re.escape(secret)}|(?<=Bearer )\S+", "***", line)[:_EXCERPT]


def envelope(answer: Answer, shape: Shape, secret: str) -> dict[str, Any]:
    """The JSON object of the answer, whose `data` is of this shape.

    Raises Passing where another try may help, else TokenRefused, RequestRefused, or ConfigError for a redirect.
    """
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise _refusal(answer, secret)
    content = _json(answer.body)
    if isinstance(content, dict) and isinstance(content.get("data"), shape):
        return content
    kind = "an HTML page" if answer.body.lstrip().startswith(b"<") else "not the JSON that was expected"
    raise Malformed(f"{answer.path} answered {answer.status} with {kind}")


def _json(body: bytes) -> Any:
    """The parsed body; None if it is no JSON, which is nothing that the API ever answers."""
    try:
        return json.loads(body, strict=False)
    except (ValueError, RecursionError):
        return None


def _refusal(answer: Answer, secret: str) -> Exception:
    """The error of a status that is no success."""
    status, path = answer.status, answer.path
    excerpt = scrub(answer.body.decode("utf-8", "replace"), secret)
    said = f"{_named(status)}: {excerpt}" if excerpt else _named(status)
    if status in _RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Passing(f"{path} answered {said}", retry_after=retry_after(answer.headers))
    if status < HTTPStatus.BAD_REQUEST:
        target = scrub(_host(answer.headers.get("location", "")), secret)
        return ConfigError(
            f"The control plane redirects {path} to {target} ({status}), where the token is not sent: "
            "give the final address with --host, unless it is a login."
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return TokenRefused(f"The control plane refused the token (401): {_ADVICE[401]}.")
    message = f"The control plane refused {path} ({said}): {_ADVICE.get(status, _ADVICE[400])}."
    if status == HTTPStatus.FORBIDDEN:
        return Forbidden(message)
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        objections = " ".join(_objections(_json(answer.body))) or excerpt
        if re.search(r"\blimit\b", objections):
            named = tuple(int(number) for number in re.findall(r"\b\d{1,9}\b", objections))
            return LimitRefused(message, status=status, body=excerpt, named=named)
    return RequestRefused(message, status=status, body=excerpt)


def _objections(value: Any) -> Iterator[str]:
    """The sentences of an error body, be it FastAPI's or one with a message; an upper bound counts as one."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _objections(item)
        case dict():
            if isinstance(value.get("le"), int):
                yield str(value["le"])
            for key in ("message", "error", "detail", "loc", "msg", "ctx"):
                yield from _objections(value.get(key))


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _host(location: str) -> str:
    """The host that a redirect names, and nothing more of it: its query may hold secrets."""
    try:
        return urlsplit(location).hostname or "another path of the same host"
    except ValueError:
        return "an unreadable address"
