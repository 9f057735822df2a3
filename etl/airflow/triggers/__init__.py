"""Triggers, which run in Airflow's triggerer.

`changes`  Fires when a sync has recorded changes that meet a condition.
"""

from etl.airflow.triggers.changes import TrueFoundryChangeTrigger

__all__ = ["TrueFoundryChangeTrigger"]
