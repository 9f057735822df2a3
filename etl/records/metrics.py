"""Metrics of a version: one row for each value logged, in the source's order."""

from collections.abc import Iterable
from math import isnan
from typing import Any, NamedTuple

from etl.records.fields import indexed, integer, without_nulls
from etl.records.rows import Json, MetricRow, Record

_FIELDS = frozenset({"key", "value", "timestamp", "step"})
_INT64 = 2**63


class Metrics(NamedTuple):
    """The metrics of a version, as rows."""

    rows: list[tuple[Any, ...]]
    """What a MetricRow holds, without its names, which take a quarter of the time to make."""
    is_listed: bool
    """Whether the rows tell all that the source's list says."""


def metrics_of(record: Record, version_id: str) -> Metrics:
    """The metrics that a column can hold each part of; the list tells of others."""
    listed = record.get("metrics")
    rows: list[tuple[Any, ...]] = []
    if not isinstance(listed, list):
        return Metrics(rows, is_listed=False)
    is_listed = bool(listed)
    for position, metric in enumerate(listed):
        key = indexed(metric.get("key")) if isinstance(metric, dict) else None
        if key is None:
            is_listed = False
            continue
        # What is usual is told apart here, though the calls would do the same: there are ten million of it.
        value, timestamp, step = metric.get("value"), metric.get("timestamp"), metric.get("step")
        number, special = (value, None) if type(value) is float and value - value == 0 else _number(value)
        milliseconds = timestamp if type(timestamp) is int and -_INT64 <= timestamp < _INT64 else integer(timestamp)
        whole_step = int(step) if type(step) is float and step % 1 == 0 and abs(step) < _INT64 else integer(step)
        rows.append((version_id, position, key, number, special, whole_step, milliseconds))
        is_listed = (
            is_listed
            and (metric.keys() <= _FIELDS or without_nulls(metric).keys() <= _FIELDS)
            # A bool has no row value, and an int may be too fine for a float.
            and (special is not None or number == value)
            and (whole_step is not None or step is None)
            and (milliseconds is not None or timestamp is None)
        )
    return Metrics(rows, is_listed)


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


def _number(value: Json) -> tuple[float | None, str | None]:
    """A finite number, or the name of one that is not."""
    if type(value) is float:
        if value - value == 0:
            return value, None
        return None, "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if type(value) is not int:
        return None, None
    try:
        return float(value), None
    except OverflowError:
        return None, None
