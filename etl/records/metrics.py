"""Metrics of a version: one row for each value logged, in the source's order."""

from collections.abc import Iterable
from math import isfinite, isnan
from typing import Any

from etl.records.fields import indexed, integer, without_nulls
from etl.records.tables import Json, MetricRow, Record
from etl.records.times import from_epoch_ms

_FIELDS = frozenset({"key", "value", "timestamp", "step"})


def take_metrics(left: Record, version_id: str) -> list[MetricRow]:
    """Take the metrics; the list stays as well when the rows do not tell all of it."""
    listed = left.get("metrics")
    if not isinstance(listed, list):
        return []
    rows = [
        _row(version_id, position, metric)
        for position, metric in enumerate(listed)
        if isinstance(metric, dict) and indexed(metric.get("key")) is not None
    ]
    if rows and len(rows) == len(listed) and all(map(_is_told, listed, rows)):
        del left["metrics"]
    return rows


def listed_metrics(rows: Iterable[tuple[Any, ...]]) -> list[Record]:
    """The metrics as the source listed them, from their rows."""
    return [
        without_nulls(
            {
                "key": row.key,
                # float() reads the very names that value_special holds.
                "value": float(row.value_special) if row.value_special else row.value,
                "timestamp": row.timestamp_ms,
                "step": row.step,
            }
        )
        for row in sorted(map(MetricRow._make, rows), key=lambda row: row.position)
    ]


def _row(version_id: str, position: int, metric: Record) -> MetricRow:
    value, special = _number(metric.get("value"))
    milliseconds = integer(metric.get("timestamp"))
    logged_at = None if milliseconds is None else from_epoch_ms(milliseconds)
    step = integer(metric.get("step"))
    return MetricRow(version_id, position, metric["key"], value, special, step, milliseconds, logged_at)


def _number(value: Json) -> tuple[float | None, str | None]:
    """A finite number, or the name of one that is not."""
    if type(value) is float:
        if isfinite(value):
            return value, None
        return None, "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if type(value) is not int:
        return None, None
    try:
        return float(value), None
    except OverflowError:
        return None, None


def _is_told(metric: Record, row: MetricRow) -> bool:
    """Whether the row holds all that the metric says."""
    value = metric.get("value")
    return (
        metric.keys() <= _FIELDS
        # A bool has no row value, and an int may be too fine for a float.
        and (row.value_special is not None or row.value == value)
        and (row.step is not None or metric.get("step") is None)
        and (row.timestamp_ms is not None or metric.get("timestamp") is None)
    )
