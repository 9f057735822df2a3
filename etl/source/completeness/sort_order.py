"""Pure: infer the sort order of a list from its pages.

The control plane does not name the order. But a page is one snapshot, and a few dozen records in perfect order of
creation are no coincidence. In a sorted list, two reads whose keys overlap leave no gap between them, however many
records appear or disappear at the same time. So an overlap repairs the sweep of a list that changes.
"""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

EVIDENCE_BITS = 30
"""Evidence required: pages in no order would look sorted in one of 2**30 lists."""


class _Facets(NamedTuple):
    created: float
    touched: float


_KEYS: dict[str, Callable[[_Facets], Any]] = {
    "oldest first": lambda record: record.created,
    "newest first": lambda record: -record.created,
    "first touched first": lambda record: record.touched,
    "last touched first": lambda record: -record.touched,
}
"""Possible sort orders; keys grow from the first record of a list to its last.

A list by name is not among them: a record that is renamed moves to any place, over pages that were read already."""

Keys = dict[str, list[Any]]
"""The keys of a page's records, by order."""


class Ordering:
    """The orders that no page so far contradicts, with the evidence for each."""

    def __init__(self) -> None:
        self._bits = dict.fromkeys(_KEYS, 0.0)

    @property
    def certain(self) -> bool:
        """Whether the evidence suffices that the list has one of the remaining orders."""
        return any(bits >= EVIDENCE_BITS for bits in self._bits.values())

    def narrow_orders(self, records: Sequence[Any]) -> Keys:
        """Drop the orders that a page contradicts; return its records' keys in the others."""
        facets = [_facets(record) for record in records]
        looked: Keys = {}
        for order in list(self._bits):
            keys = [_KEYS[order](each) for each in facets if each is not None]
            if len(keys) < len(records) or any(one > other for one, other in pairwise(keys)):
                del self._bits[order]
                continue
            looked[order] = keys
            # m records in no order look sorted once in m! times; records with equal keys show nothing.
            steps = sum(one < other for one, other in pairwise(keys))
            self._bits[order] += math.lgamma(steps + 2) / math.log(2)
        return looked

    def overlap(self, before: Keys, after: Keys) -> bool:
        """Whether one page begins before the other ends, in every remaining order.

        It must begin strictly before, because different records may share a key.
        """
        return all(before[order] and after[order] and after[order][0] < before[order][-1] for order in self._bits)

    def shares_boundary_record(self, before: Keys, after: Keys) -> bool:
        """Whether a page begins with another's last record, and no neighbour has the same key."""
        return all(
            before[order][-2:-1] < before[order][-1:] == after[order][:1] < after[order][1:2] for order in self._bits
        )


def _facets(record: Any) -> _Facets | None:
    """The values that lists are sorted by; None for a record without them."""
    if not isinstance(record, dict):
        return None
    try:
        created = _moment(record["created_at"])
        touched = _moment(record["updated_at"]) if record.get("updated_at") else created
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return _Facets(created, touched)


def _moment(text: str) -> float:
    """Seconds since 1970; a time without offset counts as UTC."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
