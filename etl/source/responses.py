"""Turn status and body into the parsed JSON envelope, or into an error with advice.

msgspec parses the JSON. The slower standard library parses what msgspec rejects but servers send: NaN, lone surrogates
and unescaped control characters. Where both accept a body, they return the same value.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec

from etl.errors import ConfigError, RequestRefused, TokenRefused
from etl.redaction import MASK, Redactor
from etl.setting_names import name_of
from etl.source.exceptions import (
    Forbidden,
    LimitRefused,
    MalformedResponse,
    NotApiResponse,
    NotJson,
    NotOffered,
    TooLarge,
    TransientError,
)
from etl.source.retry import retry_after
from etl.source.size_limits import MAX_RECORDS, lower_page_size

Shape = type[list[Any]] | type[dict[str, Any]]

_EXCERPT = 200
_EXCERPTED = 32_768
_LONGEST_ERROR = 2**20  # bytes; the API's own errors are short
_BEARER = re.compile(r"(?i)(?<=bearer )\S+")
_MAX_LEVELS = 200_000  # maximum nesting of brackets: no parser accepts more, and scanning more is slow
_DEEPEST = 400  # more levels than a record may nest, fewer than Python can read
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_RETRIED = frozenset({408, 425, 429})
_NOT_OFFERED = frozenset({404, 405, 410, 501})
_PAGE = re.compile(rb"(?!\s*null\s*$)\s*([<A-Za-z])")


class LongInteger(str):
    """An integer with more digits than `int` accepts. It keeps the digits, but is no string in the JSON."""

    __slots__ = ()


@dataclass(frozen=True)
class Response:
    """The response to a request for `path`: header names ignore case, `body` is decompressed."""

    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes | bytearray


@lru_cache
def redactor(secret: str) -> Redactor:
    """What removes the token from text, in any encoding."""
    return Redactor(token=secret)


def redact_excerpt(text: str, secret: str) -> str:
    """Reduce external text to a short printable line, with the token redacted in any encoding."""
    redacted = redactor(secret)(text[:_EXCERPTED])
    line = " ".join("".join(c if c.isprintable() else " " for c in redacted).split())
    line = _BEARER.sub(MASK, redactor(secret)(line))
    if len(text) > _EXCERPTED:  # the cut may have split a token
        line = line[: -_EXCERPTED // 2]
    return line[:_EXCERPT]


def parse_envelope(answer: Response, shape: Shape, secret: str) -> dict[str, Any]:
    """Return the JSON object of the answer, whose `data` has this shape.

    Raises TransientError if a retry may help, else TokenRefused, RequestRefused, or ConfigError for a redirect.
    """
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise _refusal(answer, secret)
    content = _json(answer.body)
    if isinstance(content, dict) and isinstance(content.get("data"), shape):
        if len(content["data"]) > MAX_RECORDS and shape is list:
            raise TooLarge(f"{answer.path} answered more than {MAX_RECORDS} records: {lower_page_size()}.")
        return content
    if content is None and (page := _PAGE.match(answer.body)):
        what = "an HTML page" if page[1] == b"<" else "text that is not JSON"
        raise NotJson(f"{answer.path} answered {answer.status} with {what}")
    kind = MalformedResponse if content is None else NotApiResponse
    raise kind(f"{answer.path} answered {answer.status} with unexpected JSON")


def _json(body: bytes | bytearray) -> Any:
    """Parse the body; None if it is not JSON, since the API never answers null.

    If the body nests too deep for Python, lists and objects at level _DEEPEST become their JSON text.
    """
    with suppress(ValueError, RecursionError):
        try:
            return _parsed(body)
        except RecursionError:
            return _parsed(_levelled(body.decode(json.detect_encoding(body), "surrogatepass")))
    return None


def _parsed(text: str | bytes | bytearray, room: int = 300) -> Any:
    """Parse JSON with 300 stack frames in reserve, so that deeper code can serialize it."""
    if room:
        return _parsed(text, room - 1)
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError):
        pass
    try:
        return json.loads(text, strict=False)
    except ValueError:  # also raised for an integer with more digits than Python reads
        return json.loads(text, strict=False, parse_int=_whole)


def _whole(digits: str) -> int | LongInteger:
    try:
        return int(digits)
    except ValueError:
        return LongInteger(digits)


def _levelled(text: str) -> str:
    """Replace the lists and objects at level _DEEPEST with strings of their JSON text."""
    parts, depth, done = [], 0, 0
    for token in _STRUCTURE.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > _MAX_LEVELS:
                raise ValueError("too many levels")
            if depth == _DEEPEST:
                parts.append(text[done : token.start()])
                done = token.start()
        elif token[0] in "]}":
            if depth == _DEEPEST:
                parts.append(json.dumps(text[done : token.end()]))
                done = token.end()
            depth -= 1
    return "".join(parts) + text[done:]


def _advice(status: int) -> str:
    """The next step after a refused request."""
    if status == HTTPStatus.FORBIDDEN:
        return "the token lacks permission; grant it read access, or use another token"
    if status == HTTPStatus.NOT_FOUND:
        return f"check the ids and filters given, and {name_of('api_prefix')}"
    return "check the filters and options given"


def _refusal(answer: Response, secret: str) -> Exception:
    """The error for a status other than success."""
    status, path = answer.status, answer.path
    content = _json(answer.body) if len(answer.body) <= _LONGEST_ERROR else None
    excerpt = redact_excerpt("; ".join(_reasons(content)), secret)
    said = f"{_named(status)}: {excerpt}" if excerpt else _named(status)
    if status in _RETRIED or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _NOT_OFFERED):
        slower = f"run again later, or limit the rate with {name_of('requests_per_second')}"
        advice = {"advice": slower} if status == HTTPStatus.TOO_MANY_REQUESTS else {}
        return TransientError(f"{path} answered {said}", retry_after=retry_after(answer.headers), **advice)
    if status < HTTPStatus.BAD_REQUEST:
        target = redact_excerpt(_host(answer.headers.get("location", "")), secret)
        return ConfigError(
            f"The control plane redirects {path} to {target} ({status}), and the token is not sent there: "
            f"set {name_of('host')} to the final address, unless that is a login page."
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return TokenRefused(
            "The control plane refused the token (401): it may have expired; set a valid token in "
            f"{name_of('api_key')}."
        )
    message = f"The control plane refused {path} ({said}): {_advice(status)}."
    if status == HTTPStatus.FORBIDDEN:
        return Forbidden(message)
    if status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        text = " ".join(_objections(content)) or answer.body[:_EXCERPTED].decode("utf-8", "replace")
        if re.search(r"\blimit\b", text):
            named = tuple(int(number) for number in re.findall(r"\b\d{1,9}\b", text))
            return LimitRefused(message, status=status, body=excerpt, named=named)
    kind = NotOffered if status in _NOT_OFFERED else RequestRefused
    return kind(message, status=status, body=excerpt)


def _reasons(content: Any) -> Iterator[str]:
    """Yield error messages from `message` or FastAPI's `detail`.

    Ignore other bodies: they may repeat the token in an unknown encoding.
    """
    if not isinstance(content, dict):
        return
    for value in (content.get("message"), content.get("detail")):
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                yield each
            elif isinstance(each, dict) and isinstance(each.get("msg"), str):
                place = each.get("loc")
                named = ".".join(map(str, place)) if isinstance(place, list) else ""
                yield f"{named}: {each['msg']}" if named else each["msg"]


def _objections(value: Any) -> Iterator[str]:
    """Yield all texts in an error body that may name the limit, and any upper bound."""
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
    """The host of a redirect, without the query, which may contain secrets."""
    try:
        return urlsplit(location).hostname or "another path of the same host"
    except ValueError:
        return "an unreadable address"
