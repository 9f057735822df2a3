"""How long tests wait for a condition before they fail."""

import os

import pytest

FACTOR = float(os.environ.get("TFY_ETL_TEST_PATIENCE", "1"))
"""Factor for all waits and for the time limits of tests; more than 1 on a slow machine."""


def patience(seconds: float = 60) -> float:
    """Return the seconds to wait for a condition, an answer or the end of a process."""
    return seconds * FACTOR


def extend_time_limit(item: pytest.Item) -> None:
    """Multiply the time limit of a test by the factor."""
    marker = item.get_closest_marker("timeout")
    seconds = marker.args[0] if marker else float(item.config.getini("timeout"))
    item.add_marker(pytest.mark.timeout(patience(seconds)), append=False)
