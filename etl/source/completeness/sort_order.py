"""Pure: by what a listing is sorted, as far as its own pages show.

A control plane does not say. But a page is one snapshot, and a few dozen records in perfect order by the time
they were made are no accident. Where a listing is sorted, two reads that overlap in their keys leave no gap
between them, however many records came and went meanwhile: that is what mends a sweep of a list that moves.
"""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

EVIDENCE_BITS = 30
"""How sure it must be: pages without any order would look sorted once in 2**30 listings."""


class _Facets(NamedTuple):
    created: float
    touched: float
    name: str


_KEYS: dict[str, Callable[[_Facets], Any]] = {
    "oldest first": lambda record: record.created,
    "newest first": lambda record: -record.created,
    "first touched first": lambda record: record.touched,
    "last touched first": lambda record: -record.touched,
    "by name": lambda record: (record.name, record.created),
}
"""Orders a listing may have; keys grow from its first record to its last."""

Keys = dict[str, list[Any]]
"""The keys of a page's records, by order."""


class Ordering:
    """The orders that no page so far contradicts, and how much speaks for each."""

    def __init__(self) -> None:
        """Begin with all of them, and no evidence."""
        self._bits = dict.fromkeys(_KEYS, 0.0)

    @property
    def certain(self) -> bool:
        """Whether the listing is sorted by one of the orders that are left."""
        return any(bits >= EVIDENCE_BITS for bits in self._bits.values())

    def look(self, records: Sequence[Any]) -> Keys:
        """Strike out the orders that the records of a page contradict; the records' keys in those left."""
        facets = [_facets(record) for record in records]
        looked: Keys = {}
        for order in list(self._bits):
            keys = [_KEYS[order](each) for each in facets if each is not None]
            if len(keys) < len(records) or any(one > other for one, other in pairwise(keys)):
                del self._bits[order]
                continue
            looked[order] = keys
            # m records in no order stand sorted once in m! times; those of one key show nothing.
            steps = sum(one < other for one, other in pairwise(keys))
            self._bits[order] += math.lgamma(steps + 2) / math.log(2)
        return looked

    def overlap(self, before: Keys, after: Keys) -> bool:
        """Whether, in every order left, a page begins before another ends: strictly, for records may share a key."""
        return all(before[order] and after[order] and after[order][0] < before[order][-1] for order in self._bits)

    def share_one(self, before: Keys, after: Keys) -> bool:
        """Whether a page begins with the record that ends another, and no other is seen to have its key."""
        return all(
            before[order][-2:-1] < before[order][-1:] == after[order][:1] < after[order][1:2] for order in self._bits
        )


def _facets(record: Any) -> _Facets | None:
    """What records are sorted by; None where one cannot be sorted."""
    if not isinstance(record, dict):
        return None
    manifest = record.get("manifest")
    name = record.get("name") or (manifest.get("name") if isinstance(manifest, dict) else None)
    try:
        created = _moment(record["created_at"])
        touched = _moment(record["updated_at"]) if record.get("updated_at") else created
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return _Facets(created, touched, name if isinstance(name, str) else "")


def _moment(text: str) -> float:
    """Seconds since 1970; a time without offset is taken for UTC."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
