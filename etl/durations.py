"""Durations and moments as people write and read them."""

import re
from datetime import UTC, datetime, timedelta

from etl.errors import ConfigError

_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))

MOMENT_FORMS = "7d (ago), or a date or time in ISO 8601, by default in UTC"
"""What `parse_moment` takes, for people."""


def parse_duration(text: str) -> timedelta:
    """Parse `90s`, `15m`, `6h`, `90d` or `2w`. ConfigError for anything else."""
    match = _FORM.fullmatch(text.strip().lower())
    if not match:
        raise ConfigError(f"{text!r} is not a duration: use the form 90s, 15m, 6h, 90d or 2w.")
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError as error:
        raise ConfigError(f"The duration {text!r} is too long.") from error


def parse_moment(text: str) -> datetime | timedelta:
    """Parse a time or a date in ISO 8601, by default in UTC, or how long ago it was. ConfigError for anything else."""
    try:
        at = datetime.fromisoformat(text.strip().upper())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ConfigError(f"The time {text!r} is before the year 1 or after the year 9999.") from error
    except ValueError:
        return parse_duration(text)


def format_duration(duration: timedelta) -> str:
    """Format a duration in words, to the second, in its two largest units: 2 days 3 hours."""
    rest, parts = round(duration.total_seconds()), list[str]()
    for name, seconds in _UNITS:
        count, below = divmod(rest, seconds)
        if count:
            parts.append(f"{count:,} {name}" if count == 1 else f"{count:,} {name}s")
        elif parts:
            break
        rest = below
    return " ".join(parts[:2]) or "0 seconds"
