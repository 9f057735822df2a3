import re

import pytest

from etl.explore import parameters


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2026-11-27T09:28:58Z", "2026-11-27 09:28:58.000000"),
        ("2026-11-27 09:28:58.123456", "2026-11-27 09:28:58.123456"),
        ("2026-11-27T11:28:58.5+02:00", "2026-11-27 09:28:58.500000"),
        ("20261127T092858Z", "2026-11-27 09:28:58.000000"),
        ("2026-W48-5", "2026-11-27 00:00:00.000000"),
        (" 2026-11-27 ", "2026-11-27 00:00:00.000000"),
    ],
)
def test_any_spelling_of_a_time_becomes_the_one_that_is_stored(text: str, stored: str) -> None:
    assert parameters.stored_moment(text) == stored


def test_empty_is_now_and_a_duration_is_ago() -> None:
    week_ago, now = parameters.stored_moment("7d"), parameters.stored_moment("")
    assert week_ago < now
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", each) for each in (week_ago, now))


@pytest.mark.parametrize("text", ["no time", "2026-13-01", "0001-01-01T00:00+23:00", "999999999d"])
def test_what_is_no_time_is_an_error_that_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="Write 2026-05-01, "):
        parameters.stored_moment(text)


def test_a_range_is_refused_if_it_is_none() -> None:
    assert parameters.specifiers(">=2.0,<2.6") == ">=2.0,<2.6"
    with pytest.raises(ValueError, match="is no range of versions"):
        parameters.specifiers("newer than 2")


def test_numbers_are_taken_with_their_letter() -> None:
    assert [parameters.days(each) for each in ("", "7", " 7d ", "07 D")] == ["", "7", "7", "07"]
    assert [parameters.version_number(each) for each in ("", "3", " V3 ", "003")] == ["", "3", "3", "3"]
    for text in ("d", "1w", "-1", "1.5", "\u0663", "999999"):
        with pytest.raises(ValueError, match="Write 7 or 7d"):
            parameters.days(text)
