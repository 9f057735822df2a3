"""Numbers and times as text, and text of the registry as safe HTML."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import groupby

from markupsafe import Markup, escape

LONGEST = 160
_THOUSAND = 1000
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def visible(value: object, redact: Callable[[str], str], longest: int = LONGEST) -> Markup:
    """Render untrusted text as HTML that cannot change the text around it.

    Markup is escaped. Control characters, invisible characters and those that change the direction of writing are
    shown by their code point. The text is isolated, so that right-to-left letters do not move their neighbours. Long
    text is cut.
    """
    text = redact(str(value))
    shown = escape(text[:longest]) if text[:longest].isprintable() else _spelled_out(text[:longest])
    rest = Markup(' <span class="quiet">… {} characters</span>').format(number(len(text))) if text[longest:] else ""
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


def signed_percent(value: float) -> str:
    """Format a change in percent, with one decimal if it is small."""
    shown = f"{value:+,.0f}%" if abs(value) >= 10 else f"{value:+.1f}%"  # noqa: PLR2004 two digits
    return shown.replace("-", "\N{MINUS SIGN}")


def plural(count: int, one: str, many: str | None = None) -> str:
    """Format a count with its noun."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def percent(part: int, whole: int) -> str:
    """Format a share. Only nothing is 0%, and only the whole is 100%."""
    if not whole:
        return "–"
    share = 100 * part / whole
    if 0 < share < 1:
        return "<1%"
    return f"{min(round(share), 99) if part < whole else 100}%"


def size_at_least(count: int | None, unknown: int) -> str:
    """Format the known size of records of which some may have an unknown size."""
    return f"≥ {size(count)}" if unknown and count is not None else size(count)


def size(count: int | None) -> str:
    """Format a number of bytes in its largest unit; None is unknown."""
    if count is None:
        return "unknown"
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < _THOUSAND:
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"  # noqa: PLR2004 three digits
        value /= _THOUSAND
    return f"{value:,.1f} PB"


def moment(at: datetime) -> str:
    """Format a time in UTC, to the minute."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "minutes")


def second(at: datetime) -> str:
    """Format a time in UTC, to the second, as options take it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def day(at: datetime) -> str:
    """Format the day of a time, in UTC."""
    return at.astimezone(UTC).date().isoformat()


def span(seconds: float) -> str:
    """Format a duration in its largest unit, such as "3 hours"."""
    for unit, length in (("day", _DAY), ("hour", _HOUR), ("minute", _MINUTE)):
        if seconds >= 2 * length or (unit == "minute" and seconds >= length):
            return plural(int(seconds // length), unit)
    return "less than a minute"
