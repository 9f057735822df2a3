r"""Column types that store registry values without loss.

Databases cannot store every text that JSON allows. PostgreSQL rejects NUL, and SQLite's functions stop at it. Both
reject lone surrogates, and JSON columns reject NaN and the infinities.

These types write such a character as U+241B (SYMBOL FOR ESCAPE) and four hexadecimal digits: `a\0b` as `a␛0000b`,
U+241B itself as `␛241B`. In JSON, a float that JSON lacks or that JSONB would change is the text `␛NaN`,
`␛-Infinity` or `␛1e+23`. Reading through these types reverses the escapes.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

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
"""MessagePack's type byte of a float, and the first byte of one of at least 2**49 or not finite."""
_NESTED = frozenset({float, dict, list})

Encoder = Callable[[Sequence[Any]], Sequence[Any]]
"""Converts a column of values, which may include None, to parameters of the driver in one call."""


def _escape(match: re.Match[str]) -> str:
    return f"{ESCAPE}{ord(match[0]):04X}"


def escape(text: str) -> str:
    """Escape every character that a database may reject."""
    return _ODD.sub(_escape, text) if _ODD.search(text) else text


_Text = TypeVar("_Text", str, str | None)


def escaped_all(texts: Sequence[_Text]) -> Sequence[_Text]:
    """Escape each text; None stays None."""
    together = "".join(filter(None, texts))
    if together.isascii() and "\0" not in together:  # true for most columns, and fast to check
        return texts
    return [text and escape(text) for text in texts]


def unescape(text: str) -> str:
    """Reverse `escape`."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if ESCAPE in text else text


def as_unicode(text: str) -> str:
    """Escape lone surrogates, which are not valid Unicode, and U+241B itself."""
    return _NOT_UNICODE.sub(_escape, text) if _NOT_UNICODE.search(text) else text


def all_unicode(texts: Sequence[str | None]) -> Sequence[str | None]:
    """Escape lone surrogates in each text; None stays None."""
    if "".join(filter(None, texts)).isascii():
        return texts
    return [text and as_unicode(text) for text in texts]


class RegistryText(TypeDecorator[str]):
    """Text of any length, with any characters."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok = True

    def encoder(self, dialect: Dialect) -> Encoder:  # noqa: ARG002 the same signature for all types
        """Return the encoder that bulk loads use instead of SQLAlchemy's bind processing."""
        return escaped_all

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's signature
        """Escape characters that the database cannot store."""
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's signature
        """Reverse the escapes."""
        return None if value is None else unescape(value)


class RegistryId(RegistryText):
    """An id: in PostgreSQL with the collation "C", which compares bytes, and so costs less than that of a language."""

    impl = Text().with_variant(Text(collation="C"), "postgresql")
    cache_ok = True


class RegistryJson(TypeDecorator[Any]):
    """Any JSON value, including NaN and the infinities: JSONB in PostgreSQL, text in SQLite.

    SQLite gives a column declared JSON numeric affinity, which would round long numbers.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Use JSONB in PostgreSQL."""
        if dialect.name != "postgresql":
            return dialect.type_descriptor(Text())
        from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415 slow to import, and needed for PostgreSQL only

        return dialect.type_descriptor(JSONB(none_as_null=True))

    def encoder(self, dialect: Dialect) -> Encoder:  # noqa: ARG002 the same signature for all types
        """Return the encoder of bulk loads: the values as JSON text, with escapes."""
        return lambda values: [None if value is None else _encoded(value) for value in values]

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Escape the value; PostgreSQL's type then serializes it."""
        if value is None:
            return None
        return _escaped(value) if dialect.name == "postgresql" else _encoded(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Reverse the escapes."""
        if value is None:
            return None
        return _unescaped(value if dialect.name == "postgresql" else json.loads(value))


class JsonText(TypeDecorator[str]):
    """A column of `RegistryJson`, cast to text: valid JSON with the escapes reversed.

    A float that JSON lacks is the text `NaN`, `Infinity` or `-Infinity`.
    """

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's signature
        """Reverse the escapes; most text holds none."""
        if value is None or ESCAPE not in value:
            return value
        return json.dumps(_named(_unescaped(json.loads(value))), ensure_ascii=False, separators=(",", ":"))


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC: `timestamptz`, or text `YYYY-MM-DD HH:MM:SS.ffffff` in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def encoder(self, dialect: Dialect) -> Encoder | None:
        """Return an encoder to text of fixed width for SQLite, which has no type for times."""
        if dialect.name != "sqlite":
            return None
        # The slice removes the offset, which is always that of UTC.
        return lambda moments: [at and at.isoformat(" ", "microseconds")[:26] for at in moments]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC. Raises ValueError for a time without a time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 SQLAlchemy's signature
        """Return an aware time in UTC."""
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
    # msgspec writes floats that are not finite as null, and those that JSONB would change with an exponent.
    perhaps_odd_float = "null" in text or _EXPONENT.search(text)
    if ESCAPE in text or "\\u0000" in text or (perhaps_odd_float and _holds_odd_float(value)):
        return _dump(_escaped(value)).decode()
    return text


def _holds_odd_float(value: Any) -> bool:
    try:  # MessagePack keeps the bytes of a float, so that one search rules out nearly all values
        return _PACKED_ODD_FLOAT.search(_pack(value)) is not None and _is_odd_float_in(value)
    except OverflowError:  # MessagePack has no integers of more than 64 bits
        return _is_odd_float_in(value)


def _is_odd_float_in(value: Any) -> bool:
    kind = type(value)
    if kind is float:
        return not abs(value) < _WRITTEN_WITH_EXPONENT  # NaN is not less than anything
    for item in value.values() if kind is dict else value if kind is list else ():
        if type(item) in _NESTED and _is_odd_float_in(item):  # avoids a call for most values
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
    """Replace each float that JSON lacks by its name."""
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
