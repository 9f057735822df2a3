"""Sensors.

`changes`  Waits until a sync has recorded changes that meet a condition.
"""

from etl.airflow.sensors.changes import TrueFoundryChangeSensor

__all__ = ["TrueFoundryChangeSensor"]
