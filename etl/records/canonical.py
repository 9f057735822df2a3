"""The canonical form of JSON: one text for all notations of the same content, and its hash."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from types import NoneType

import msgspec

from etl.records.rows import Json

MAX_NESTING = 200
"""Maximum nesting of a record: far above any real one, but safe for Python and databases."""

_ATOMS = frozenset({str, int, bool, NoneType})
# ASCII only, so that a lone surrogate becomes an escape instead of an encoding error.
_to_text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode
_to_bytes = msgspec.json.Encoder(order="sorted").encode  # several times faster, but it cannot write every value
_to_packed = msgspec.msgpack.Encoder(order="sorted").encode  # distinguishes null from NaN


class UnstorableValue(ValueError):
    """The value cannot be stored; the message is a predicate for the field's name as subject."""


def normalize(value: Json, room: int = MAX_NESTING) -> Json:
    """Copy the value without meaningless differences: no nulls in objects, 1 instead of 1.0.

    Raises UnstorableValue.
    """
    kind = type(value)
    if kind is float:
        return int(value) if value.is_integer() else value  # NaN and the infinities are not integers
    if kind in _ATOMS:
        return value
    if kind is not dict and kind is not list:  # a LongInteger, the parser's only other type
        raise UnstorableValue("contains an integer with more digits than can be read")
    if not room:
        raise UnstorableValue(f"nests lists and objects more than {MAX_NESTING} levels deep")
    room -= 1
    # Handle atoms and fractions here, although the call would return them, too: most values are such, and calls are
    # slow.
    if kind is dict:
        return {
            key: item if (of := type(item)) in _ATOMS or (of is float and item % 1 > 0) else normalize(item, room)
            for key, item in value.items()
            if item is not None
        }
    return [item if type(item) in _ATOMS else normalize(item, room) for item in value]


def canonical(value: Json) -> str:
    """The canonical text; NaN and Infinity as the standard library writes them."""
    return _to_text(normalize(value))


def content_hash(plain_value: Json, rows: Sequence[tuple[Json, ...]] = ()) -> str:
    """Hash a normalized value, and rows that hold the rest of it, to 32 hex digits."""
    content = _written(plain_value)
    # Normalized objects hold no null. So it is in a list or a text, or msgspec wrote it for NaN or an infinity.
    if b"null" in content:
        content = _to_text(plain_value).encode("ascii")
    digest = blake2b(content, digest_size=16)
    if rows:  # only values that both encoders can write
        digest.update(_written(rows))
    return digest.hexdigest()


def change_hash(value: Json, *others: str) -> str:
    """Hash to 32 hex digits that also change with the notation of a null, number or time.

    This takes a fifth of the time of `content_hash`, and decides only whether to look again. Raises UnstorableValue.
    """
    try:
        content = _to_packed(value)
    except (OverflowError, RecursionError, TypeError, UnicodeEncodeError):  # not writable as msgpack, or unstorable
        content = canonical(value).encode("ascii")
    digest = blake2b(content, digest_size=16)
    for other in others:
        digest.update(other.encode())
    return digest.hexdigest()


def _written(value: Json) -> bytes:
    try:
        return _to_bytes(value)
    except UnicodeEncodeError:  # a lone surrogate
        return _to_text(value).encode("ascii")
