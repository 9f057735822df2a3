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


def test_version_is_matched_as_pip_does() -> None:
    matches = [("2.5.1", "<2.6"), ("2.10", "<2.6"), ("2.6rc1", "<2.6"), ("2.5", ""), ("what", "<2"), (None, "<2")]
    assert [parameters.version_matches(*each) for each in matches] == [1, 0, 0, 1, None, None]
    assert parameters.specifiers(">=2.0,<2.6") == ">=2.0,<2.6"
    with pytest.raises(ValueError, match="is no range of versions"):
        parameters.specifiers("newer than 2")
