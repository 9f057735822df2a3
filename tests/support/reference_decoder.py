"""Decode records independently of the code under test: equal contents give equal values."""

import math
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

TIMES = ("created_at", "updated_at")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def decode(value: Any, *, is_record: bool = True) -> Any:
    """Decode a value; null equals absent, and all spellings of a number or a time are equal."""
    if isinstance(value, dict):
        content = {key: decode(item, is_record=key == "latest_version") for key, item in value.items()}
        if is_record:
            content |= {key: _instant(value[key]) for key in TIMES if isinstance(value.get(key), str)}
        return {key: item for key, item in content.items() if item is not None}
    if isinstance(value, list):
        return [decode(item, is_record=False) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return ("not a number",)
    # True == 1 in Python, but not in JSON.
    return (value,) if isinstance(value, bool) else value


def _instant(text: str) -> Any:
    if not _TIME.fullmatch(text):
        return text
    whole = re.sub(r"\.\d+", "", text, count=1)
    fraction = re.search(r"\.\d+", text)
    try:
        at = datetime.fromisoformat(whole)
    except ValueError:
        return text
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return Fraction((at - _EPOCH) // timedelta(seconds=1)) + Fraction(fraction[0] if fraction else 0)
