r"""Column types: how a value of the registry is stored, and how it comes back unchanged.

Databases cannot hold every text that JSON can. PostgreSQL refuses NUL, SQLite's own functions end at it, both
refuse lone surrogates, and JSON columns refuse NaN and the infinities. Such a character is written as U+241B
(SYMBOL FOR ESCAPE) and four hexadecimal digits, `a\0b` as `a␛0000b`, U+241B itself as `␛241B`. Inside JSON a
float that JSON does not have, or that JSONB would give back as another number, is the text `␛NaN`, `␛-Infinity`
or `␛1e+23`. Reading through these types undoes it.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import DateTime, Dialect, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

ESCAPE = "␛"
_ODD = re.compile(f"[\x00{ESCAPE}\ud800-\udfff]")
_NOT_UNICODE = re.compile(f"[{ESCAPE}\ud800-\udfff]")
_EXPONENT = re.compile("[0-9]e[0-9]")
_ESCAPED = re.compile(f"{ESCAPE}([0-9A-F]{{4}})")
_FLOAT = re.compile(f"{ESCAPE}(NaN|-?Infinity|-?[1-9](?:\\.[0-9]+)?e\\+[0-9]+)")
_WRITTEN_WITH_EXPONENT = 1e16
_PACKED_ODD_FLOAT = re.compile(b"\xcb[\x43-\x7f\xc3-\xff]")
"""The mark of a float, and the first byte of one from 2**49 or not finite. In text, 0xCB is followed by other bytes."""
_NESTED = frozenset({float, dict, list})

Encoder = Callable[[Sequence[Any]], Sequence[Any]]
"""Takes a column of values, None among them, to what the driver is given: one call for many values."""


def _escape(match: re.Match[str]) -> str:
    return f"{ESCAPE}{ord(match[0]):04X}"


def escape(text: str) -> str:
    """The text with every character that a database may refuse written as U+241B and four hexadecimal digits."""
    return _ODD.sub(_escape, text) if _ODD.search(text) else text


def escaped_all(texts: Sequence[str | None]) -> Sequence[str | None]:
    """Each text as `escape` gives it; None stays None."""
    together = "".join(filter(None, texts))
    if together.isascii() and "\0" not in together:  # as most are, and this is told at the speed of memory
        return texts
    return [text and escape(text) for text in texts]


def unescape(text: str) -> str:
    """What `escape` was given."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if ESCAPE in text else text


def as_unicode(text: str) -> str:
    """The text with lone surrogates, which no Unicode holds, escaped; and U+241B itself, so that it can be undone."""
    return _NOT_UNICODE.sub(_escape, text) if _NOT_UNICODE.search(text) else text


def all_unicode(texts: Sequence[str | None]) -> Sequence[str | None]:
    """Each text as `as_unicode` gives it; None stays None."""
    if "".join(filter(None, texts)).isascii():
        return texts
    return [text and as_unicode(text) for text in texts]


class RegistryText(TypeDecorator[str]):
    """Text of any length and of any characters."""

    impl = Text
    cache_ok = True

    def encoder(self, dialect: Dialect) -> Encoder:  # noqa: ARG002 alike for all three types
        """What the hot path calls instead of SQLAlchemy's own bind processing."""
        return escaped_all

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's signature
        """Escape what the database cannot hold."""
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's signature
        """Undo the escape."""
        return None if value is None else unescape(value)


class RegistryJson(TypeDecorator[Any]):
    """Any JSON value, NaN and the infinities included: JSONB in PostgreSQL, text in SQLite.

    Text, because SQLite gives a column declared JSON numeric affinity and would round long numbers.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """JSONB where there is one."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(Text())
        from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415 costly, and here it was imported for the driver

        return dialect.type_descriptor(JSONB(none_as_null=True))

    def encoder(self, dialect: Dialect) -> Encoder:  # noqa: ARG002 alike for all three types
        """What the hot path calls: the values as JSON text, escaped where it must be."""
        return lambda values: [None if value is None else _encoded(value) for value in values]

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Escape; PostgreSQL's own type turns the value into JSON afterwards."""
        if value is None:
            return None
        return _escaped(value) if dialect.name == "postgresql" else _encoded(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Undo the escape."""
        if value is None:
            return None
        return _unescaped(value if dialect.name == "postgresql" else json.loads(value))


class JsonText(TypeDecorator[str]):
    """What a column of `RegistryJson`, cast to text, says: JSON text that every parser reads, with the escapes undone.

    A float that JSON does not have is the text `NaN`, `Infinity` or `-Infinity`.
    """

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's signature
        """Most text holds no escape, and is handed on as it is."""
        if value is None or ESCAPE not in value:
            return value
        return json.dumps(_named(_unescaped(json.loads(value))), ensure_ascii=False, separators=(",", ":"))


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, aware and in UTC: `timestamptz`, or text `YYYY-MM-DD HH:MM:SS.ffffff` in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def encoder(self, dialect: Dialect) -> Encoder | None:
        """SQLite has no type for moments: fixed-width text sorts as time does."""
        if dialect.name != "sqlite":
            return None
        # In UTC, its offset cut off.
        return lambda moments: [at and at.isoformat(" ", "microseconds")[:26] for at in moments]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive moments: they hide mistakes."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 SQLAlchemy's signature
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_dump = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


def _encoded(value: Any) -> str:
    try:
        text = _dump(value).decode()
    except UnicodeEncodeError:  # a lone surrogate
        return _dump(_escaped(value)).decode()
    # What is not finite is written as null, and a float that JSONB would not give back with an exponent.
    perhaps_odd_float = "null" in text or _EXPONENT.search(text)
    if ESCAPE in text or "\\u0000" in text or (perhaps_odd_float and _holds_odd_float(value)):
        return _dump(_escaped(value)).decode()
    return text


def _holds_odd_float(value: Any) -> bool:
    try:  # in MessagePack each float stands as it is, so that a glance tells nearly all others apart
        return _PACKED_ODD_FLOAT.search(_pack(value)) is not None and _is_odd_float_in(value)
    except OverflowError:  # for which a whole number may be too long
        return _is_odd_float_in(value)


def _is_odd_float_in(value: Any) -> bool:
    kind = type(value)
    if kind is float:
        return not abs(value) < _WRITTEN_WITH_EXPONENT  # NaN is not less than anything
    for item in value.values() if kind is dict else value if kind is list else ():
        if type(item) in _NESTED and _is_odd_float_in(item):  # most values are no such thing, and calls cost
            return True
    return False


def _escaped(value: Any) -> Any:
    match value:
        case str():
            return escape(value)
        case dict():
            return {escape(key): _escaped(item) for key, item in value.items()}
        case list():
            return [_escaped(item) for item in value]
        case float() if not abs(value) < _WRITTEN_WITH_EXPONENT:  # NaN is not less than anything
            return f"{ESCAPE}{json.dumps(value)}"
    return value


def _named(value: Any) -> Any:
    """The value with each float that JSON does not have as its name."""
    match value:
        case dict():
            return {key: _named(item) for key, item in value.items()}
        case list():
            return [_named(item) for item in value]
        case float() if not math.isfinite(value):
            return json.dumps(value)
    return value


def _unescaped(value: Any) -> Any:
    match value:
        case str():
            number = _FLOAT.fullmatch(value)
            return float(number[1]) if number else unescape(value)
        case dict():
            return {unescape(key): _unescaped(item) for key, item in value.items()}
        case list():
            return [_unescaped(item) for item in value]
    return value
