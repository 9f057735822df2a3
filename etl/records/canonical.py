"""The canonical form of JSON: one text for all spellings of the same content, and its hash."""

import json
from hashlib import blake2b
from types import NoneType

from etl.records.tables import Json

MAX_NESTING = 200
"""Levels a record may nest: far beyond any real one, well below what Python and the databases can take."""

_ATOMS = frozenset({str, int, bool, NoneType})
# ASCII only, so that a lone surrogate becomes an escape instead of an encoding error.
_to_text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode


class Unfit(ValueError):
    """The value cannot be kept; the error says why, to be read after the name of a field."""


def plain(value: Json, room: int = MAX_NESTING) -> Json:
    """The value as a copy without what makes no difference: nulls in objects are gone, 1.0 is 1. Raises Unfit."""
    kind = type(value)
    if kind is float:
        return int(value) if value.is_integer() else value
    if kind in _ATOMS:
        return value
    if kind is not dict and kind is not list:  # all that the parser leaves otherwise
        raise Unfit("holds a whole number of more digits than can be read")
    if not room:
        raise Unfit(f"nests lists and objects more than {MAX_NESTING} levels deep")
    room -= 1
    # Atoms are told apart here, though the call would return them too: most values are, and calls cost.
    if kind is dict:
        return {
            key: item if type(item) in _ATOMS else plain(item, room) for key, item in value.items() if item is not None
        }
    return [item if type(item) in _ATOMS else plain(item, room) for item in value]


def canonical(value: Json) -> str:
    """The canonical text; NaN and Infinity stand as the standard library writes them."""
    return _to_text(plain(value))


def content_hash(plain_value: Json) -> str:
    """32 hex digits for a value that `plain` made."""
    return blake2b(_to_text(plain_value).encode("ascii"), digest_size=16).hexdigest()
