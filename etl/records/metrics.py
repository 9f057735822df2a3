"""Metrics of a version: one row for each logged value, in the source's order."""

from math import isnan
from typing import Any, NamedTuple

from etl.records.fields import indexed, integer, without_nulls
from etl.records.rows import Json, Record

_FIELDS = frozenset({"key", "value", "timestamp", "step"})
_INT64 = 2**63


class Metrics(NamedTuple):
    """The metrics of a version, as rows."""

    rows: list[tuple[Any, ...]]
    """The values of each MetricRow as a plain tuple, made in a quarter of the time."""
    is_lossless: bool
    """Whether the rows hold everything that the source's list holds."""


def metrics_of(record: Record, version_id: str) -> Metrics:
    """Make a row of each metric whose key can be indexed.

    A part that its column cannot hold becomes null. If any part or metric is lost, `is_lossless` is false.
    """
    listed = record.get("metrics")
    rows: list[tuple[Any, ...]] = []
    if not isinstance(listed, list):
        return Metrics(rows, is_lossless=False)
    is_lossless = bool(listed)
    for position, metric in enumerate(listed):
        key = indexed(metric.get("key")) if isinstance(metric, dict) else None
        if key is None:
            is_lossless = False
            continue
        # Handle the usual types here, although the calls would do the same: there are ten million values, and calls are
        # slow.
        value, timestamp, step = metric.get("value"), metric.get("timestamp"), metric.get("step")
        number, special = (value, None) if type(value) is float and value - value == 0 else _number(value)
        milliseconds = timestamp if type(timestamp) is int and -_INT64 <= timestamp < _INT64 else integer(timestamp)
        whole_step = int(step) if type(step) is float and step % 1 == 0 and abs(step) < _INT64 else integer(step)
        rows.append((version_id, position, key, number, special, whole_step, milliseconds))
        is_lossless = (
            is_lossless
            and (metric.keys() <= _FIELDS or without_nulls(metric).keys() <= _FIELDS)
            # A bool has no row value, and a float cannot hold every int exactly.
            and (special is not None or number == value)
            and (whole_step is not None or step is None)
            and (milliseconds is not None or timestamp is None)
        )
    return Metrics(rows, is_lossless)


def _number(value: Json) -> tuple[float | None, str | None]:
    """A finite number, or the name of a float that is not finite."""
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
