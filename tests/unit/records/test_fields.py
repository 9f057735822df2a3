from typing import Any

import pytest

from etl.records.fields import identity, integer, leftover, take_flag, take_identity, take_text, take_time


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (5.0, 5),
        (-(2**63), -(2**63)),
        (2**63, None),
        (5.5, None),
        (1e300, None),
        (float("nan"), None),
        (True, None),
        ("5", None),
        (None, None),
    ],
)
def test_integer_accepts_only_whole_numbers_of_64_bits(value: Any, number: int | None) -> None:
    assert integer(value) == number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("m-1", "m-1"),
        (5, "5"),
        (5.0, "5"),
        ("x" * 2000, "x" * 2000),
        ("x" * 2001, None),
        pytest.param("字" * 500, "字" * 500, id="500 letters of three bytes"),
        pytest.param("字" * 667, None, id="more bytes than an index takes"),
        pytest.param("\0" * 300, None, id="more bytes than an index takes, once escaped"),
        pytest.param(10**499, str(10**499), id="500 digits"),
        pytest.param(10**5000, None, id="more digits than Python writes"),
        ("", None),
        (True, None),
        (0.5, None),
        (["m-1"], None),
        ({}, None),
        (None, None),
    ],
)
def test_identity_accepts_only_text_and_whole_numbers(value: Any, text: str | None) -> None:
    assert identity(value) == text


def test_value_that_its_column_cannot_reproduce_stays_in_extra() -> None:
    left = {
        "name": "churn",
        "type": 7,
        "id": "1",
        "ml_repo_id": 12,
        "deployable": True,
        "draft": 1,
        "created_at": "2024-05-01T10:00:00Z",
        "updated_at": "2024-05-01T10:00:00.0000001Z",
        "run_id": None,
    }
    taken = [
        take_text(left, "name"),
        take_text(left, "type"),
        take_identity(left, "id"),
        take_identity(left, "ml_repo_id"),
        take_flag(left, "deployable"),
        take_flag(left, "draft"),
    ]
    assert take_time(left, "created_at") == take_time(left, "updated_at")
    assert taken == ["churn", None, "1", "12", True, None]
    assert leftover(left) == {
        "type": 7,
        "ml_repo_id": 12,
        "draft": 1,
        "updated_at": "2024-05-01T10:00:00.0000001Z",
    }
    assert leftover({"nothing": None}) is None
