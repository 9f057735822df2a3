"""Durations as people write and read them."""

import re
from datetime import timedelta

from etl.errors import ConfigError

_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def parse_duration(text: str) -> timedelta:
    """Parse `90s`, `15m`, `6h`, `90d` or `2w`. ConfigError for anything else."""
    match = _FORM.fullmatch(text.strip().lower())
    if not match:
        raise ConfigError(f"{text!r} is not a duration: use the form 90s, 15m, 6h, 90d or 2w.")
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError as error:
        raise ConfigError(f"The duration {text!r} is too long.") from error


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
