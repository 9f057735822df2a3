"""Values as text, alike in all formats of text."""

import math
from datetime import datetime

_NAMES = {math.inf: "Infinity", -math.inf: "-Infinity"}


def number(value: float) -> str:
    """A double, exactly; what is not finite by the names that `value_special` has."""
    if math.isfinite(value):
        return repr(float(value))
    return _NAMES.get(value, "NaN")


def moment(value: datetime) -> str:
    """A moment in UTC, with microseconds, as every program reads it."""
    return f"{value.isoformat(timespec='microseconds')[:26]}Z"
