from datetime import UTC, datetime

import pytest

from etl.records.times import _instant, instant, iso

MORNING = datetime(2024, 5, 1, 10, 0, 0, 500000, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01T10:00:00.5Z",
        "2024-05-01 10:00:00.500000",
        "2024-05-01T10:00:00.500000000+00:00",
        "2024-05-01T15:30:00.5+05:30",
        "2024-05-01T02:00:00.5-0800",
    ],
)
def test_every_notation_of_a_time_gives_the_same_instant(text: str) -> None:
    assert instant(text) == (MORNING, "2024-05-01T10:00:00.500000Z", False)


def test_digits_below_the_microsecond_are_kept_in_the_text() -> None:
    read = instant("2024-05-01T10:00:00.123456780Z")
    assert read == (MORNING.replace(microsecond=123456), "2024-05-01T10:00:00.12345678Z", True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-05-01",
        "2024-02-30T00:00:00Z",
        "12024-05-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "٢٠٢٤-05-01T00:00:00Z",
    ],
)
def test_invalid_or_unrepresentable_time_is_none(text: str) -> None:
    assert instant(text) is None


def test_time_is_written_with_microseconds_and_z() -> None:
    assert iso(datetime(2024, 5, 1, tzinfo=UTC)) == "2024-05-01T00:00:00.000000Z"


def test_long_text_is_not_cached() -> None:
    _instant.cache_clear()
    assert instant("x" * 100_000) is None
    assert _instant.cache_info().currsize == 0
