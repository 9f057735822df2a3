"""Column types: how a value of the registry is stored, and how it comes back unchanged.

Databases cannot hold every text that JSON can. PostgreSQL refuses NUL, both refuse lone surrogates, and JSON
columns refuse NaN and the infinities. Such a character is written as U+241B (SYMBOL FOR ESCAPE) and four
hexadecimal digits, `a\\0b` as `a␛0000b`, U+241B itself as `␛241B`; inside JSON a number that JSON does not
have is the text `␛NaN`, `␛Infinity` or `␛-Infinity`. Reading through these types undoes it.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

ESCAPE = "␛"
_ODD = re.compile(f"[{ESCAPE}\ud800-\udfff]")
_ODD_OR_NUL = re.compile(f"[\x00{ESCAPE}\ud800-\udfff]")
_ODD_IN_JSON = re.compile(f"[{ESCAPE}\ud800-\udfff]|\\\\u0000")
_ESCAPED = re.compile(f"{ESCAPE}([0-9A-F]{{4}})")
_NOT_JSON = {f"{ESCAPE}NaN": math.nan, f"{ESCAPE}Infinity": math.inf, f"{ESCAPE}-Infinity": -math.inf}

Encoder = Callable[[Any], Any]
"""Takes a value that is not None to what the driver is given."""


def _odd(dialect: Dialect) -> re.Pattern[str]:
    return _ODD if dialect.name == "sqlite" else _ODD_OR_NUL


def escape(text: str, odd: re.Pattern[str] = _ODD_OR_NUL) -> str:
    """The text with every character that `odd` matches written as U+241B and four hexadecimal digits."""
    return odd.sub(lambda match: f"{ESCAPE}{ord(match[0]):04X}", text) if odd.search(text) else text


def unescape(text: str) -> str:
    """What `escape` was given."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if ESCAPE in text else text


class RegistryText(TypeDecorator[str]):
    """Text of any length and of any characters."""

    impl = Text
    cache_ok = True

    def encoder(self, dialect: Dialect) -> Encoder:
        """What the hot path calls instead of SQLAlchemy's own bind processing."""
        odd = _odd(dialect)
        search = odd.search
        return lambda text: escape(text, odd) if search(text) else text

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what the database cannot hold."""
        return None if value is None else escape(value, _odd(dialect))

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
        return dialect.type_descriptor(JSONB(none_as_null=True) if dialect.name == "postgresql" else Text())

    def coerce_compared_value(self, op: Any, value: Any) -> TypeEngine[Any]:  # noqa: ARG002 SQLAlchemy's signature
        """Compare as JSON, so that path operators work."""
        return JSON()

    def encoder(self, dialect: Dialect) -> Encoder:
        """What the hot path calls: the value as JSON text, escaped where it must be."""
        odd = _odd(dialect)

        def encode(value: Any) -> str:
            try:
                text = _dump(value)
            except ValueError:  # NaN or an infinity somewhere
                return _dump(_escaped(value, odd))
            return _dump(_escaped(value, odd)) if _ODD_IN_JSON.search(text) else text

        return encode

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Escape; PostgreSQL's own type turns the value into JSON afterwards."""
        if value is None:
            return None
        return (
            _escaped(value, _odd(dialect)) if dialect.name == "postgresql" else self.encoder(dialect)(value)
        )

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Undo the escape."""
        if value is None:
            return None
        return _unescaped(value if dialect.name == "postgresql" else json.loads(value))


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, aware and in UTC: `timestamptz`, or text `YYYY-MM-DD HH:MM:SS.ffffff` in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def encoder(self, dialect: Dialect) -> Encoder | None:
        """SQLite has no type for moments: fixed-width text sorts as time does."""
        if dialect.name != "sqlite":
            return None
        return lambda moment: moment.isoformat(" ", "microseconds")[:26]  # UTC, its offset cut off

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


_dump = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _escaped(value: Any, odd: re.Pattern[str]) -> Any:
    match value:
        case str():
            return escape(value, odd)
        case dict():
            return {escape(key, odd): _escaped(item, odd) for key, item in value.items()}
        case list():
            return [_escaped(item, odd) for item in value]
        case float() if not math.isfinite(value):
            return f"{ESCAPE}{'NaN' if math.isnan(value) else 'Infinity' if value > 0 else '-Infinity'}"
    return value


def _unescaped(value: Any) -> Any:
    match value:
        case str():
            return _NOT_JSON[value] if value in _NOT_JSON else unescape(value)
        case dict():
            return {unescape(key): _unescaped(item) for key, item in value.items()}
        case list():
            return [_unescaped(item) for item in value]
    return value
