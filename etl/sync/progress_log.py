"""The progress of a run as log lines."""

import logging
import time


class ProgressLog:
    """A log line for each phase of a run, and further ones in a phase that takes longer than the interval."""

    def __init__(self, log: logging.Logger, every_s: float) -> None:
        self._log = log
        self._every_s = every_s
        self._records = 0
        self._next = time.monotonic() + every_s

    def phase(self, name: str) -> None:
        """Log the new phase."""
        self._log.info("%s …", name)
        self._records = 0
        self._next = time.monotonic() + self._every_s

    def advance(self, entity: str, records: int, total: int | None) -> None:
        """Log the number of records, if the last line is old enough."""
        self._records += records
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_s
            self._log.info("%s: %d of %s", entity, self._records, "?" if total is None else total)
