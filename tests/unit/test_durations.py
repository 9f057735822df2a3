from datetime import timedelta

import pytest

from etl.durations import format_duration, parse_duration
from etl.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        (" 6H ", timedelta(hours=6)),
        ("1.5d", timedelta(hours=36)),
        ("2 w", timedelta(days=14)),
        ("0s", timedelta(0)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize("text", ["", "6", "h", "-6h", "6 hours", "nan", "6h30m", "9" * 400 + "s", "99999999999w"])
def test_anything_else_is_not_a_duration(text: str) -> None:
    with pytest.raises(ConfigError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 seconds"),
        (1, "1 second"),
        (989, "16 minutes 29 seconds"),
        (3600, "1 hour"),
        (3605, "1 hour"),
        (86_399.7, "1 day"),
        (2 * 86_400 + 3 * 3600 + 59, "2 days 3 hours"),
        (400 * 86_400, "400 days"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == words
