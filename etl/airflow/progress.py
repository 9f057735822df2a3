"""The progress of a run in the log of its task."""

import time
from typing import Any

_EVERY_S = 30.0


class TaskLogProgress:
    """A line for each phase of a run, and one every half minute in a phase that takes longer."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._phase = ""
        self._records = 0
        self._next = time.monotonic() + _EVERY_S

    def phase(self, name: str) -> None:
        """Log the new phase."""
        self._log.info("phase: %s", name)
        self._phase, self._records = name, 0
        self._next = time.monotonic() + _EVERY_S

    def advance(self, entity: str, records: int, total: int | None) -> None:
        """Log the number of records, if the last line is half a minute old."""
        self._records += records
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY_S
            of_total = "" if total is None else f" of {total}"
            self._log.info("phase: %s, %d%s %s read", self._phase, self._records, of_total, entity)
