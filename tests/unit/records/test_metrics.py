import math
from typing import Any

import pytest

from etl.records.metrics import metrics_of
from etl.records.rows import MetricRow
from tests.support.rebuild_records import listed_metrics
from tests.support.record_builders import a_metric


def test_each_logged_value_is_a_row_in_source_order() -> None:
    listed = [a_metric(note=None), a_metric(value=3, step=2.0), a_metric(key="f1", value=None, timestamp=None)]
    rows, is_lossless = metrics_of({"metrics": listed}, "v")
    assert is_lossless
    assert rows == [
        ("v", 0, "loss", 0.25, None, 1, 1714557600000),
        ("v", 1, "loss", 3.0, None, 2, 1714557600000),
        ("v", 2, "f1", None, None, 1, None),
    ]


@pytest.mark.parametrize(("value", "special"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")])
def test_value_that_is_not_finite_is_stored_by_name(value: float, special: str) -> None:
    rows, is_lossless = metrics_of({"metrics": [a_metric(value=value)]}, "v")
    assert is_lossless
    assert [row[3:5] for row in rows] == [(None, special)]
    assert str(listed_metrics(rows)[0]["value"]) == str(value)


@pytest.mark.parametrize(
    ("change", "value", "step", "milliseconds"),
    [
        ({"dataset": "test"}, 0.25, 1, 1714557600000),
        ({"value": True}, None, 1, 1714557600000),
        ({"value": "0.25"}, None, 1, 1714557600000),
        ({"value": 2**53 + 1}, float(2**53), 1, 1714557600000),
        ({"value": 10**400}, None, 1, 1714557600000),
        ({"step": 1.5}, 0.25, None, 1714557600000),
        ({"step": math.inf}, 0.25, None, 1714557600000),
        ({"step": 2.0**63}, 0.25, None, 1714557600000),
        ({"timestamp": 2**63}, 0.25, 1, None),
        ({"timestamp": True}, 0.25, 1, None),
        ({"timestamp": "2024-05-01"}, 0.25, 1, None),
    ],
)
def test_metric_that_its_row_cannot_hold_keeps_the_list(
    change: dict[str, Any], value: float | None, step: int | None, milliseconds: int | None
) -> None:
    rows, is_lossless = metrics_of({"metrics": [a_metric(), a_metric(**change)]}, "v")
    assert not is_lossless
    row = MetricRow._make(rows[1])
    assert (row.value, row.step, row.timestamp_ms) == (value, step, milliseconds)


@pytest.mark.parametrize("metrics", [[], "none", [a_metric(key=None)], [a_metric(key=7)], ["loss"]])
def test_metric_without_a_usable_key_has_no_row_and_keeps_the_list(metrics: object) -> None:
    assert metrics_of({"metrics": metrics}, "v") == ([], False)


def test_timestamp_beyond_datetime_is_stored_in_milliseconds() -> None:
    rows, is_lossless = metrics_of({"metrics": [a_metric(timestamp=2**62)]}, "v")
    assert is_lossless
    assert [row[-1] for row in rows] == [2**62]
