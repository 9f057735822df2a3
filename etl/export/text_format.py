"""Numbers and times as text, the same in all text formats."""

import math
from datetime import datetime

_NAMES = {math.inf: "Infinity", -math.inf: "-Infinity"}


def number(value: float) -> str:
    """Format a double without loss; values that are not finite by the names in `value_special`."""
    if math.isfinite(value):
        return repr(float(value))
    return _NAMES.get(value, "NaN")


def moment(value: datetime) -> str:
    """Format a time in UTC as ISO 8601 with microseconds."""
    return f"{value.isoformat(timespec='microseconds')[:26]}Z"
