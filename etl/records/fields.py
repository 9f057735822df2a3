"""Fields of a record: columns take what they can hold exactly, and `extra` keeps the rest.

Each `take_*` function reads one field of a shallow copy of the record and deletes it there. The field stays if its
column could not give back the same value. Then `extra` keeps it, and it wins over the column when the record is
rebuilt.
"""

import re
from datetime import datetime
from types import NoneType
from typing import Any

from etl.enums import Entity
from etl.records.rows import Json, Record
from etl.records.times import instant

MAX_INDEXED = 2000
"""Maximum bytes that every database can index; PostgreSQL's limit is about 2,700."""

REQUIRED_ANY: dict[Entity, tuple[str, str]] = {
    Entity.ML_REPOS: ("tenant_name", "manifest"),
    Entity.MODELS: ("name", "fqn"),
    Entity.MODEL_VERSIONS: ("fqn", "manifest"),
}
"""Fields of which every record has at least one, in every known release of the API."""

# Characters that the store may write as an escape of up to seven bytes.
_ESCAPED = re.compile("[\x00\u241b\ud800-\udfff]")
_ESCAPE_LENGTH = 7

_INT64 = 2**63

_KINDS: dict[type[Json], str] = {
    NoneType: "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


class InvalidRecord(ValueError):
    """The record cannot be stored; `reason` says why, for people to read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def text(value: Json) -> str | None:
    """The value if it is text."""
    return value if isinstance(value, str) else None


def indexed(value: Json) -> str | None:
    """The value if it is text that every database can index."""
    if not isinstance(value, str):
        return None
    if len(value) * _ESCAPE_LENGTH <= MAX_INDEXED:
        return value
    size = len(value.encode("utf-8", "surrogatepass")) + _ESCAPE_LENGTH * len(_ESCAPED.findall(value))
    return value if size <= MAX_INDEXED else None


def integer(value: Json) -> int | None:
    """The value as a 64-bit int if it is a whole number, written 5 or 5.0."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and -_INT64 <= value < _INT64 else None


def identity(value: Json) -> str | None:
    """The value as an id: text, or a whole number as text. None if it identifies nothing."""
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int:
        # Reject numbers beyond any real id: Python refuses to write the longest.
        value = str(value) if value.bit_length() < MAX_INDEXED else ""
    return indexed(value) or None


def own_identity(record: Record, key: str) -> str:
    """Read an id that the record must have. Raises InvalidRecord."""
    value = record.get(key)
    found = identity(value)
    if found is not None:
        return found
    if value is None:
        raise InvalidRecord(f"it has no {key}")
    if value == "":
        raise InvalidRecord(f"its {key} is empty")
    if isinstance(value, str) or type(value) is int:
        raise InvalidRecord(f"its {key} is longer than the {MAX_INDEXED} bytes that every database can index")
    raise InvalidRecord(f"its {key} is {_said(value)}, where text or a whole number was expected")


def has_content(entity: Entity, record: Record) -> bool:
    """Whether a record is more than an id: storing a bare id would erase what is known of it."""
    one, other = REQUIRED_ANY[entity]
    return record.get(one) is not None or record.get(other) is not None


def kind_of(value: Json) -> str:
    """The kind of a JSON value, in words."""
    return _KINDS.get(type(value), "text")


def _said(value: Json) -> str:
    """A float as written, any other value by its kind."""
    return repr(value) if type(value) is float else kind_of(value)


def get_field(value: Json, key: str) -> Json:
    """A field of the value if that is an object, else None."""
    return value.get(key) if isinstance(value, dict) else None


def take_text(left: Record, key: str) -> str | None:
    """Take a text field."""
    value = text(left.get(key))
    if value is not None:
        del left[key]
    return value


def take_identity(left: Record, key: str) -> str | None:
    """Take an id; a number also stays in the record."""
    value = left.get(key)
    taken = identity(value)
    if taken is not None and taken is value:
        del left[key]
    return taken


def take_own_identity(left: Record, key: str) -> str:
    """Take an id that the record must have. Raises InvalidRecord."""
    taken = own_identity(left, key)
    take_identity(left, key)
    return taken


def take_flag(left: Record, key: str) -> bool | None:
    """Take a boolean."""
    value = left.get(key)
    if not isinstance(value, bool):
        return None
    del left[key]
    return value


def take_time(left: Record, key: str) -> datetime | None:
    """Take a time; one with digits below the microsecond also stays in the record."""
    value = left.get(key)
    read = instant(value) if isinstance(value, str) else None
    if read is None:
        return None
    if not read.is_finer:
        del left[key]
    return read.at


def leftover(left: Record) -> Record | None:
    """The fields that were not taken, or None if there are none."""
    return without_nulls(left) or None


def without_nulls(record: dict[str, Any]) -> Record:
    """Copy the object without its null fields: null and absent mean the same."""
    return {key: value for key, value in record.items() if value is not None}
