from dataclasses import replace
from typing import Any

from etl.report import metrics
from etl.store.queries.report import TopRows
from tests.unit.report.builders import NAME, report_data, worse

DEFAULT = report_data()


def row_of(points: list[tuple[int, float]], **changes: Any) -> metrics.WorsenedMetric:
    data = replace(
        DEFAULT.metrics, worse=TopRows([worse(**changes)], 1), values={("m-1", NAME): points} if points else {}
    )
    (row,) = metrics.worsened_metrics(report_data(metrics=data))
    return row


def test_metric_that_got_worse_shows_its_values_with_a_dot_at_the_version() -> None:
    row = row_of([(1, 0.75), (2, 0.5), (3, 0.9)])
    assert row.values == "version 1: 0.75, version 2: 0.5, version 3: 0.9"
    assert len(row.spark.dots) == 1
    assert row.worse_by is not None
    assert round(row.worse_by) == -33


def test_metric_of_a_version_older_than_those_drawn_shows_its_two_values() -> None:
    assert row_of([]).values == "version 1: 0.75, version 2: 0.5"


def test_metric_that_was_near_zero_has_no_relative_change() -> None:
    assert row_of([], relative_change=None).worse_by is None
