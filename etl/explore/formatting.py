"""Values as people write them: times to the minute, yes and no, sizes in their largest unit, charts as SVG."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from etl.durations import format_duration
from etl.models.types import escape

_STORED_MOMENT = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9]{6}")
_NOT_ENCODABLE = re.compile("[\0\ud800-\udfff]")
_THOUSAND = 1000
_SIGNIFICANT = 6
_WIDTH, _HEIGHT, _MARGIN = 120, 28, 3


def moment(value: object) -> Markup | None:
    """Return a time in UTC to the minute, exact in its title; None if the value is no time."""
    if isinstance(value, str):
        if not _STORED_MOMENT.fullmatch(value):
            return None
        try:
            value = datetime.fromisoformat(value).replace(tzinfo=UTC)
        except ValueError:  # such as the 31st of February
            return None
    if not isinstance(value, datetime):
        return None
    exact = value.astimezone(UTC).replace(tzinfo=None)
    return Markup('<time datetime="{}Z" title="{} UTC">{}</time>').format(
        exact.isoformat("T", "microseconds"), exact.isoformat(" ", "microseconds"), exact.isoformat(" ", "minutes")
    )


def flag(value: object) -> str | None:
    """Return yes or no; None if the value is unknown or no boolean."""
    return {0: "no", 1: "yes"}.get(value) if isinstance(value, int) else None


def size(value: object) -> Markup | None:
    """Return a number of bytes in its largest unit, exact in its title; None if it is unknown or no number."""
    if not isinstance(value, int):
        return None
    scaled, shown = float(value), ""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        shown = f"{scaled:.0f} {unit}" if unit == "bytes" else f"{scaled:.1f} {unit}"
        if abs(scaled) < _THOUSAND:
            break
        scaled /= _THOUSAND
    return _with_exact(shown, f"{value:,} bytes")


def real(value: object) -> Markup | None:
    """Return a number with six significant digits, exact in its title; None if it is unknown or no number."""
    if not isinstance(value, int | float):
        return None
    shown = f"{value:.{_SIGNIFICANT}g}"
    exact = repr(value)
    return Markup("{}").format(exact) if float(shown) == value else _with_exact(shown, exact)


def share(value: object) -> Markup | None:
    """Return a ratio as a percentage with its sign; None if it is unknown or no number."""
    if not isinstance(value, int | float):
        return None
    return _with_exact(f"{100 * value:+,.1f} %".replace("-", "\N{MINUS SIGN}"), repr(value))


def duration(seconds: object) -> Markup | None:
    """Return a number of seconds in its two largest units, exact in its title; None if it is unknown or no number."""
    if not isinstance(seconds, int | float):
        return None
    sign = "\N{MINUS SIGN}" if seconds < 0 else ""
    return _with_exact(sign + format_duration(timedelta(seconds=abs(seconds))), f"{seconds!r} seconds")


def printable(text: str) -> str:
    """Return the text with control characters and changes of the writing direction spelled out."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def encodable(value: Any) -> Any:
    """Return a text without NUL and lone surrogates, which UTF-8 lacks: written as in the database; others as is."""
    if isinstance(value, str) and _NOT_ENCODABLE.search(value):
        return type(value)(_NOT_ENCODABLE.sub(lambda match: escape(match[0]), value))
    return value


def pretty_json(value: Any) -> str:
    """Return a JSON value on several lines."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def sparkline(values: Sequence[float]) -> Markup:
    """Return a small line chart of the values, hidden from screen readers; nothing for fewer than two values."""
    if len(values) < 2:  # noqa: PLR2004 a line has two ends
        return Markup("")
    # Half of each value, because the difference of two large values may exceed the range of a float.
    low, high = min(values) / 2, max(values) / 2
    width, height = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
    points = []
    for place, value in enumerate(values):
        share_of_height = (value / 2 - low) / (high - low) if high > low else 0.5
        points.append(
            (_MARGIN + width * place / (len(values) - 1), _MARGIN + height * (1 - share_of_height)),
        )
    (x, y) = points[-1]
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" width="{}" height="{}" aria-hidden="true" focusable="false">'
        '<polyline points="{}"/><circle cx="{:.1f}" cy="{:.1f}" r="2.5"/></svg>'
    ).format(_WIDTH, _HEIGHT, _WIDTH, _HEIGHT, " ".join(f"{x:.1f},{y:.1f}" for x, y in points), x, y)


def _with_exact(shown: str, exact: str) -> Markup:
    return Markup('<span title="{}">{}</span>').format(exact, shown)
