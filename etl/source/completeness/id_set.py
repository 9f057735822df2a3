"""The records that a sweep has seen, as 64-bit keys, so that millions fit in memory."""

import json
from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import Any, ClassVar

_BUCKETS = 256


def key_of(record: Any) -> int:
    """The 64-bit key of a record as received: from its id or, without one, its whole content.

    An id is text or a number; a number counts as its text. Among ten million ids, two share a key in about one of
    400,000 sweeps. Even then only the proof of completeness is lost.
    """
    identity = record.get("id") if isinstance(record, dict) else None
    if isinstance(identity, int | float) and not isinstance(identity, bool):
        identity = str(int(identity) if identity == identity // 1 else identity)  # 5.0 equals 5
    named = isinstance(identity, str) and identity
    text = f"id:{identity}" if named else f"json:{json.dumps(record, sort_keys=True)}"
    # JSON may contain lone surrogates, which strict UTF-8 rejects.
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


class IdSet:
    """A set of 64-bit keys, kept sorted in buckets by their first byte."""

    __hash__: ClassVar[None]  # type: ignore[assignment]  # mutable, like a set

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(_BUCKETS)]
        self._count = 0

    def add(self, key: int) -> bool:
        """Add a key; return whether it is new."""
        bucket = self._buckets[key >> 56]
        place = bisect_left(bucket, key)
        is_new = place == len(bucket) or bucket[place] != key
        if is_new:
            bucket.insert(place, key)
            self._count += 1
        return is_new

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdSet) and self._buckets == other._buckets
