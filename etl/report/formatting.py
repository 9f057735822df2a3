"""Numbers and times as text, and text of the registry as safe HTML."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import groupby

from markupsafe import Markup, escape

_LONGEST = 160
_THOUSAND = 1000
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def visible(value: object, redact: Callable[[str], str]) -> Markup:
    """Render untrusted text as HTML that cannot change the text around it.

    Markup is escaped. Control characters, invisible characters and those that change the direction of writing are
    shown by their code point. The text is isolated, so that right-to-left letters do not move their neighbours. Long
    text is cut.
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
    """Format a count exactly, and other numbers with four significant digits."""
    if isinstance(value, int) or (abs(value) < _THOUSAND**2 and value == int(value)):
        return f"{int(value):,}".replace("-", "\N{MINUS SIGN}")
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def change(value: float) -> str:
    """Format a number with its sign."""
    return f"+{number(value)}" if value > 0 else number(value)


def plural(count: int, one: str, many: str | None = None) -> str:
    """Format a count with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def size(count: int | None) -> str:
    """Format a number of bytes in its largest unit."""
    value = float(count or 0)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < _THOUSAND:
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"  # noqa: PLR2004 three digits
        value /= _THOUSAND
    return f"{value:,.1f} PB"


def moment(at: datetime) -> str:
    """Format a time in UTC, to the minute."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "minutes")


def day(at: datetime) -> str:
    """Format the day of a time, in UTC."""
    return at.astimezone(UTC).date().isoformat()


def span(seconds: float) -> str:
    """Format a duration in its largest unit, such as "3 hours"."""
    for unit, length in (("day", _DAY), ("hour", _HOUR), ("minute", _MINUTE)):
        if seconds >= 2 * length or (unit == "minute" and seconds >= length):
            return plural(int(seconds // length), unit)
    return "less than a minute"
