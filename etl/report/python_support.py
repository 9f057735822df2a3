"""Which Python versions get security fixes, and until when. Pure."""

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
    parts = python.strip().split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and all(map(_is_number, parts[:2])) else None


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) < 4  # noqa: PLR2004 Python has no such releases
