"""How long tests wait for what must happen before they give up: long, for that only shows where something is broken."""

import os

import pytest

FACTOR = float(os.environ.get("TFY_ETL_TEST_PATIENCE", "1"))
"""On a slow or busy machine, more than 1: every wait and every test's own time limit grow by it."""


def patience(seconds: float = 60) -> float:
    """Seconds to wait for a condition, an answer or the end of a process."""
    return seconds * FACTOR


def extend_time_limit(item: pytest.Item) -> None:
    """Let a test take longer by the factor."""
    marker = item.get_closest_marker("timeout")
    seconds = marker.args[0] if marker else float(item.config.getini("timeout"))
    item.add_marker(pytest.mark.timeout(patience(seconds)), append=False)
