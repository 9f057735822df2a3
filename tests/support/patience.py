"""How long tests wait for a condition before they fail. The benchmarks import it too, without pytest."""

import os

FACTOR = float(os.environ.get("TFY_ETL_TEST_PATIENCE", "1"))
"""Factor for all waits and for the time limits of tests; more than 1 on a slow machine."""


def patience(seconds: float = 60) -> float:
    """Return the seconds to wait for a condition, an answer or the end of a process."""
    return seconds * FACTOR
