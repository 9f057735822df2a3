"""The canonical form of JSON: one text for all spellings of the same content, and its hash."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from types import NoneType

import msgspec

from etl.records.rows import Json

MAX_NESTING = 200
"""Levels a record may nest: far beyond any real one, well below what Python and the databases can take."""

_ATOMS = frozenset({str, int, bool, NoneType})
# ASCII only, so that a lone surrogate becomes an escape instead of an encoding error.
_to_text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode
_to_bytes = msgspec.json.Encoder(order="sorted").encode  # several times as fast, but it cannot write everything
_to_packed = msgspec.msgpack.Encoder(order="sorted").encode  # tells null from NaN


class UnstorableValue(ValueError):
    """The value cannot be kept; the error says why, to be read after the name of a field."""


def normalize(value: Json, room: int = MAX_NESTING) -> Json:
    """The value as a copy without what makes no difference: nulls in objects are gone, 1.0 is 1. Raises Unfit."""
    kind = type(value)
    if kind is float:
        return int(value) if value.is_integer() else value  # NaN and the infinities are none
    if kind in _ATOMS:
        return value
    if kind is not dict and kind is not list:  # all that the parser leaves otherwise
        raise UnstorableValue("holds a whole number of more digits than can be read")
    if not room:
        raise UnstorableValue(f"nests lists and objects more than {MAX_NESTING} levels deep")
    room -= 1
    # Atoms and fractions are told apart here, though the call would return them too: most values are, and calls cost.
    if kind is dict:
        return {
            key: item if (of := type(item)) in _ATOMS or (of is float and item % 1 > 0) else normalize(item, room)
            for key, item in value.items()
            if item is not None
        }
    return [item if type(item) in _ATOMS else normalize(item, room) for item in value]


def canonical(value: Json) -> str:
    """The canonical text; NaN and Infinity stand as the standard library writes them."""
    return _to_text(normalize(value))


def content_hash(plain_value: Json, rows: Sequence[tuple[Json, ...]] = ()) -> str:
    """32 hex digits for a value that `plain` made, and rows that tell the rest of it."""
    content = _written(plain_value)
    # Objects hold no null any more, so it is one of a list, or what NaN and the infinities are written as.
    if b"null" in content:
        content = _to_text(plain_value).encode("ascii")
    digest = blake2b(content, digest_size=16)
    if rows:  # in which nothing is but what both write
        digest.update(_written(rows))
    return digest.hexdigest()


def change_hash(value: Json, *others: str) -> str:
    """32 hex digits that move whenever the content does, and when a null, number or time is only spelt otherwise.

    In a fifth of the time of the other, for what asks no more than whether to look again. Raises Unfit.
    """
    try:
        content = _to_packed(value)
    except (OverflowError, RecursionError, TypeError, UnicodeEncodeError):  # what cannot be packed, or not be kept
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
