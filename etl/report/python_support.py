"""Which Python versions get security fixes, and until when. Pure."""

import re
from datetime import date

END_OF_LIFE = {
    "3.8": date(2024, 10, 31),
    "3.9": date(2025, 10, 31),
    "3.10": date(2026, 10, 31),
    "3.11": date(2027, 10, 31),
    "3.12": date(2028, 10, 31),
    "3.13": date(2029, 10, 31),
    "3.14": date(2030, 10, 31),
}
"""End of security support of each Python: the last day of the month that its PEP names."""

# Also of 3.9rc1 and 3.9-dev. Python has no releases of more digits.
_MINOR = re.compile(r"\s*([0-9]{1,3})\.([0-9]{1,3})(?![0-9])")


def is_end_of_life(python: str | None, today: date) -> bool:
    """Return whether a Python version, such as 3.9 or 3.9.18, is past its end of life."""
    minor = _numbers(python or "")
    if minor is None:
        return False
    return minor < min(map(_known, END_OF_LIFE)) or today > END_OF_LIFE.get(f"{minor[0]}.{minor[1]}", today)


def minor_of(python: str | None) -> str | None:
    """Return the first two numbers of a Python version, such as 3.9; None if it has none."""
    numbers = _numbers(python or "")
    return f"{numbers[0]}.{numbers[1]}" if numbers else None


def support(minor: str | None, today: date) -> str:
    """Say whether a Python version gets security fixes: `until 2027-10`, `ended 2025-10`; empty if unknown."""
    if is_end_of_life(minor, today):
        ended = END_OF_LIFE.get(minor or "")
        return f"ended {ended:%Y-%m}" if ended else "ended"
    until = END_OF_LIFE.get(minor or "")
    return f"until {until:%Y-%m}" if until else ""


def _known(minor: str) -> tuple[int, int]:
    major, _, rest = minor.partition(".")
    return int(major), int(rest)


def _numbers(python: str) -> tuple[int, int] | None:
    found = _MINOR.match(python)
    return (int(found[1]), int(found[2])) if found else None
