"""Metrics that got worse. Pure."""

from typing import NamedTuple

from etl.report import charts
from etl.report.data import ReportData, Row
from etl.report.formatting import number


class WorsenedMetric(NamedTuple):
    """A metric of a model that is worse in a version than in the version before."""

    row: Row
    spark: charts.Spark
    values: str
    worse_by: float | None
    """The change in percent of the value before; None if that is too near zero."""


def worsened_metrics(data: ReportData) -> list[WorsenedMetric]:
    """Return the metrics that got worse, those in production first, then those that changed most."""
    return [
        _worsened_metric(row, data.metrics.values.get((row["model_id"], row["key"]), []))
        for row in data.metrics.worse.rows
    ]


def _worsened_metric(row: Row, points: list[tuple[int, float]]) -> WorsenedMetric:
    if not points:  # the version is older than those of the chart
        points = [(row["from_version"], row["from_value"]), (row["to_version"], row["to_value"])]
    marked = [place for place, (version, _value) in enumerate(points) if version == row["to_version"]]
    listed = ", ".join(f"version {version}: {number(value)}" for version, value in points)
    relative = row["relative_change"]
    return WorsenedMetric(
        row, charts.spark([value for _, value in points], marked), listed, relative and 100 * relative
    )
