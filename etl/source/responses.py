"""From status and body to the parsed envelope, or to the error that says what to do.

JSON is read by msgspec, and where that refuses it by the standard library, which takes more time and takes NaN, lone
surrogates and unescaped control characters, that servers do send, as they are. What both read, they read alike.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec

from etl.errors import ConfigError, RequestRefused, TokenRefused
from etl.redaction import secret_pattern
from etl.source.exceptions import (
    Forbidden,
    LimitRefused,
    MalformedResponse,
    NotApiResponse,
    NotJson,
    NotOffered,
    TransientError,
)
from etl.source.retry import retry_after

Shape = type[list[Any]] | type[dict[str, Any]]

_EXCERPT = 200
_EXCERPTED = 32_768
_BEARER = re.compile(r"(?i)(?<=bearer )\S+")
_DEEPEST = 400  # far more than a record may nest, and less than Python can read
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_SLOWER = "run again later, or ask for less at a time by --requests-per-second"
_RETRIED = frozenset({408, 425, 429})
_NOT_OFFERED = frozenset({404, 405, 410, 501})
_PAGE = re.compile(rb"(?!\s*null\s*$)\s*([<A-Za-z])")
_ADVICE = {
    400: "check the filters and options given",
    401: "it may have expired; give a valid one by TFY_API_KEY or --api-key-file",
    403: "the token may not read this; allow it, or give one that may",
    404: "check the ids and filters given, and --api-prefix",
}


class LongInteger(str):
    """A whole number of more digits than Python reads: no text, though it is written as one."""

    __slots__ = ()


@dataclass(frozen=True)
class Answer:
    """What came over the wire: `path` was asked, `headers` are found in any case, `body` is unpacked."""

    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def redact_excerpt(text: str, secret: str) -> str:
    """Text from outside made fit for one line: short, printable, without the token in any spelling."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:_EXCERPTED]).split())
    line = _BEARER.sub("***", secret_pattern(secret).sub("***", line))
    if len(text) > _EXCERPTED:  # the cut may have gone through a token
        line = line[: -_EXCERPTED // 2]
    return line[:_EXCERPT]


def parse_envelope(answer: Answer, shape: Shape, secret: str) -> dict[str, Any]:
    """The JSON object of the answer, whose `data` is of this shape.

    Raises Passing where another try may help, else TokenRefused, RequestRefused, or ConfigError for a redirect.
    """
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise _refusal(answer, secret)
    content = _json(answer.body)
    if isinstance(content, dict) and isinstance(content.get("data"), shape):
        return content
    if content is None and (page := _PAGE.match(answer.body)):
        what = "an HTML page" if page[1] == b"<" else "text that is not JSON"
        raise NotJson(f"{answer.path} answered {answer.status} with {what}")
    kind = MalformedResponse if content is None else NotApiResponse
    raise kind(f"{answer.path} answered {answer.status} with not the JSON that was expected")


def _json(body: bytes) -> Any:
    """The parsed body; None if it is no JSON, which is nothing that the API ever answers.

    A value that nests too deep for Python comes as its text from the level _DEEPEST on.
    """
    with suppress(ValueError, RecursionError):
        try:
            return _parsed(body)
        except RecursionError:
            return _parsed(_levelled(body.decode(json.detect_encoding(body), "surrogatepass")))
    return None


def _parsed(text: str | bytes, room: int = 300) -> Any:
    """What the JSON says. Read from so far down the stack that who has less of it left can still write it again."""
    if room:
        return _parsed(text, room - 1)
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError):
        pass
    try:
        return json.loads(text, strict=False)
    except ValueError:  # as well for a number of more digits than Python reads
        return json.loads(text, strict=False, parse_int=_whole)


def _whole(digits: str) -> int | LongInteger:
    try:
        return int(digits)
    except ValueError:
        return LongInteger(digits)


def _levelled(text: str) -> str:
    """JSON whose values below the level _DEEPEST are texts that hold them as JSON."""
    parts, depth, done = [], 0, 0
    for token in _STRUCTURE.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == _DEEPEST:
                parts.append(text[done : token.start()])
                done = token.start()
        elif token[0] in "]}":
            if depth == _DEEPEST:
                parts.append(json.dumps(text[done : token.end()]))
                done = token.end()
            depth -= 1
    return "".join(parts) + text[done:]


def _refusal(answer: Answer, secret: str) -> Exception:
    """The error of a status that is no success."""
    status, path = answer.status, answer.path
    excerpt = redact_excerpt(answer.body[: 5 * _EXCERPTED].decode("utf-8", "replace"), secret)
    said = f"{_named(status)}: {excerpt}" if excerpt else _named(status)
    if status in _RETRIED or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NOT_OFFERED):
        advice = {"advice": _SLOWER} if status == HTTPStatus.TOO_MANY_REQUESTS else {}
        return TransientError(f"{path} answered {said}", retry_after=retry_after(answer.headers), **advice)
    if status < HTTPStatus.BAD_REQUEST:
        target = redact_excerpt(_host(answer.headers.get("location", "")), secret)
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
    kind = NotOffered if status in _NOT_OFFERED else RequestRefused
    return kind(message, status=status, body=excerpt)


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
