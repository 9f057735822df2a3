"""How values are written on the page: numbers, times, and what people wrote into the registry, made safe."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import groupby

from markupsafe import Markup, escape

_LONGEST = 160
_THOUSAND = 1000
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def visible(value: object, redact: Callable[[str], str]) -> Markup:
    """Text of anybody's as HTML that stays where it stands.

    Markup is escaped; controls, invisible characters and those that turn the direction of writing are shown by their
    number; the rest is isolated, so that letters written from right to left do not move what is beside them. What is
    very long is cut.
    """
    text = redact(str(value))
    shown = escape(text[:_LONGEST]) if text[:_LONGEST].isprintable() else _spelled_out(text[:_LONGEST])
    rest = Markup(' <span class="quiet">… {} characters</span>').format(number(len(text))) if text[_LONGEST:] else ""
    return Markup("<bdi>{}</bdi>{}").format(shown, rest)


def _spelled_out(text: str) -> Markup:
    shown = Markup("")
    for printable, group in groupby(text, str.isprintable):
        run = "".join(group)
        shown += run if printable else Markup("<i>{}</i>").format(" ".join(f"U+{ord(each):04X}" for each in run))
    return shown


def number(value: float) -> str:
    """A count, or a metric's value in the digits that tell."""
    if isinstance(value, int) or (abs(value) < _THOUSAND**2 and value == int(value)):
        return f"{int(value):,}".replace("-", "\N{MINUS SIGN}")
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def change(value: float) -> str:
    """A number with its sign."""
    return f"+{number(value)}" if value > 0 else number(value)


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def size(count: int | None) -> str:
    """Bytes, in the unit that suits them."""
    value = float(count or 0)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < _THOUSAND:
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"  # noqa: PLR2004 three digits
        value /= _THOUSAND
    return f"{value:,.1f} PB"


def moment(at: datetime) -> str:
    """A time to the minute, in UTC."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "minutes")


def day(at: datetime) -> str:
    """The day of a time, in UTC."""
    return at.astimezone(UTC).date().isoformat()


def span(seconds: float) -> str:
    """A time span in its largest unit, such as 3 hours."""
    for unit, length in (("day", _DAY), ("hour", _HOUR), ("minute", _MINUTE)):
        if seconds >= 2 * length or (unit == "minute" and seconds >= length):
            return plural(int(seconds // length), unit)
    return "less than a minute"
