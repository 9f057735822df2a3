from datetime import date, timedelta

import pytest

from etl.report.python_support import END_OF_LIFE, is_end_of_life, minor_of, support
from tests.unit.report.builders import NOW

DAY = timedelta(days=1)


def test_python_is_past_its_end_of_life_after_the_last_day() -> None:
    for minor, last in END_OF_LIFE.items():
        assert not is_end_of_life(f"{minor}.1", last)
        assert is_end_of_life(f"{minor}.1", last + DAY)


@pytest.mark.parametrize("python", ["2.7", "2.7.18", "3.6", "3.7.9", " 3.9 "])
def test_python_older_than_all_listed_is_past_its_end_of_life(python: str) -> None:
    assert is_end_of_life(python, NOW.date())


@pytest.mark.parametrize("python", [None, "", "3", "3.x", ">=3.8", "3.99.1", "٣.٩", "python3.9", "3.99999999999"])
def test_unknown_python_is_not_past_its_end_of_life(python: str | None) -> None:
    assert not is_end_of_life(python, date(2099, 1, 1))


def test_support_names_the_month_of_its_end() -> None:
    shown = {minor: support(minor, NOW.date()) for minor in ("3.12", "3.10", "2.7", "3.99", None)}
    assert shown == {"3.12": "until 2028-10", "3.10": "ended 2026-10", "2.7": "ended", "3.99": "", None: ""}


def test_minor_is_the_first_two_numbers() -> None:
    minors = {"3.9.18": "3.9", " 3.12": "3.12", "3.9rc1": "3.9", "3": None, "3.x": None, "python3.9": None, None: None}
    assert {each: minor_of(each) for each in minors} == minors
