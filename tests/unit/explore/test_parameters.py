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
def test_any_time_format_is_converted_to_the_stored_one(text: str, stored: str) -> None:
    assert parameters.stored_moment(text) == stored


def test_empty_is_now_and_a_duration_is_ago() -> None:
    week_ago, now = parameters.stored_moment("7d"), parameters.stored_moment("")
    assert week_ago < now
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", each) for each in (week_ago, now))


@pytest.mark.parametrize("text", ["no time", "2026-13-01", "0001-01-01T00:00+23:00", "999999999d"])
def test_an_invalid_time_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="Write 2026-05-01, "):
        parameters.stored_moment(text)


def test_an_invalid_range_of_versions_is_an_error() -> None:
    assert parameters.specifiers(">=2.0,<2.6") == ">=2.0,<2.6"
    with pytest.raises(ValueError, match="is not a range of versions"):
        parameters.specifiers("newer than 2")


def test_numbers_may_have_their_letter() -> None:
    assert [parameters.days(each) for each in ("", "7", " 7d ", "07 D")] == ["", "7", "7", "07"]
    assert [parameters.version_number(each) for each in ("", "3", " V3 ", "003")] == ["", "3", "3", "3"]
    for text in ("d", "1w", "-1", "1.5", "\u0663", "999999"):
        with pytest.raises(ValueError, match="Write 7 or 7d"):
            parameters.days(text)
