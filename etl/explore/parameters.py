"""Parameters of queries and filters: times in ISO 8601, numbers, and ranges of versions."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from etl.durations import parse_moment
from etl.errors import ConfigError
from etl.explore import columns

_FILTER = re.compile(r'"?(\w+)"? (?:=|!=|<|<=|>|>=) :(p[0-9]+)\b')
_DAYS = re.compile(r"(?:([0-9]{1,5}) ?d?)?")
_NUMBER = re.compile(r"(?:v?([0-9]{1,18}))?")
_FLAGS = {"yes": 1, "true": 1, "no": 0, "false": 0}


def stored_moment(text: str) -> str:
    """Return a time as the database has it, to compare with its columns. ValueError if the text is none.

    It is a date or a time in ISO 8601, by default in UTC, or how long ago it was; now if it is empty.
    """
    return moment("at", text).replace(tzinfo=None).isoformat(" ", "microseconds")


def moment(name: str, text: str) -> datetime:
    """Return the time in a field, in UTC, like `stored_moment`. ValueError, which names the field, if it has none."""
    now = datetime.now(UTC)
    try:
        at = parse_moment(text) if text.strip() else now
        return now - at if isinstance(at, timedelta) else at
    except (OverflowError, ConfigError) as error:
        raise ValueError(
            f"{name}: {text!r} is not a time. Write 2026-05-01, 2026-05-01T12:30Z, 2026-05-01 12:30+02:00, or 7d (ago)."
        ) from error


def specifiers(text: str) -> str:
    """Return a range of versions unchanged. ValueError if it is none."""
    try:
        SpecifierSet(text)
    except InvalidSpecifier as error:
        raise ValueError(f"range: {text!r} is not a range of versions. Write <2.6 or >=2.0,<2.6.") from error
    return text


def days(text: str) -> str:
    """Return a number of days, written as 7 or 7d; unchanged if it is empty. ValueError if the text is none."""
    found = _DAYS.fullmatch(text.strip().lower())
    if not found:
        raise ValueError(f"days: {text!r} is not a number of days. Write 7 or 7d.")
    return found[1] or ""


def version_number(text: str, name: str = "version") -> str:
    """Return the number of a version, written as 3 or v3; unchanged if it is empty. ValueError if the text is none."""
    found = _NUMBER.fullmatch(text.strip().lower())
    if not found:
        raise ValueError(f"{name}: {text!r} is not a version number. Write 3 or v3.")
    return str(int(found[1])) if found[1] else ""


def direction(text: str) -> str:
    """Return `higher`, `lower` or an empty text. ValueError if the text is something else."""
    word = text.strip().lower()
    if word not in {"", "higher", "lower"}:
        raise ValueError(f"better: {text!r} is not a direction. Write higher or lower.")
    return word


def package_name(text: str) -> str:
    """Return the name of a package as PyPI normalises it."""
    return canonicalize_name(text.strip())


BY_NAME: Mapping[str, Callable[[str], str]] = {"at": stored_moment, "days": days, "range": specifiers}
"""Functions by the name of a parameter, in any query: each returns the value for it, or raises ValueError."""


def convert_filter_values(sql: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a filter as their columns have them: numbers, flags and times.

    Datasette binds text. SQLite does not find it equal to a number that a view has computed. ValueError if a text
    cannot be read.
    """
    found = dict(given)
    for column, name in _FILTER.findall(sql):
        convert = _BY_TYPE.get(columns.type_of(column, None))
        if convert is not None and isinstance(found.get(name), str):
            try:
                found[name] = convert(found[name])
            except ValueError as error:
                raise ValueError(f"{column}: {found[name]!r} {_EXPECTED[convert]}") from error
    return found


def _whole(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def _flag(text: str) -> int:
    word = text.strip().lower()
    return _FLAGS[word] if word in _FLAGS else int(text)


_BY_TYPE: Mapping[type | None, Callable[[str], Any]] = {
    int: _whole,
    float: float,
    bool: _flag,
    datetime: stored_moment,
}
_EXPECTED: Mapping[Callable[[str], Any], str] = {
    _whole: "is not a number.",
    float: "is not a number.",
    _flag: "is neither yes nor no.",
    stored_moment: "is not a time. Write 2026-05-01, 2026-05-01T12:30Z, or 7d (ago).",
}
