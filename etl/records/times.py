"""Times: how the source writes them, and how we write them."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.(?P<fraction>\d+))?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
_MICROSECOND_DIGITS = 6
_MOST_CACHED = 64
"""Longest text that is kept with its result."""

_AS_WRITTEN = len("2024-05-01T10:00:00.123456Z")


class Instant(NamedTuple):
    """A point in time: `at` is cut to the microsecond; `text` is exact, in our one notation."""

    at: datetime
    text: str
    is_finer: bool
    """Whether `text` has digits below the microsecond."""


def instant(text: str) -> Instant | None:
    """Parse an ISO 8601 time, by default in UTC. None if invalid or not in years 1 to 9999."""
    return _instant(text) if len(text) <= _MOST_CACHED else _instant.__wrapped__(text)


@lru_cache(maxsize=8192)
def _instant(text: str) -> Instant | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not UTC:
            at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    # Most times are already in our notation. Hour 24 is not: it means the next day's first hour.
    if len(text) == _AS_WRITTEN and text[10] == "T" and text[-1] == "Z" and text[11:13] != "24":
        return Instant(at, text, is_finer=False)
    finer = (match["fraction"] or "")[_MICROSECOND_DIGITS:].rstrip("0")
    return Instant(at, iso(at).replace("Z", finer + "Z"), bool(finer))


def iso(at: datetime) -> str:
    """Write a time in our one notation: UTC, microseconds, Z."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
