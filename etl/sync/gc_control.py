"""Collect reference cycles at chosen moments instead of automatically.

Python's automatic collection scans each page's records many times, which takes a third of a run's time. Records form
no cycles. SQLAlchemy's statements do, and they keep the ids and rows that they were built for in memory.
"""

import gc
from types import TracebackType
from typing import Self

_BETWEEN = 20_000
"""Records between two collections.

One collection takes 1 % of the time of reading them, and the uncollected garbage stays below 10 MB."""

_OF_A_PAGE = 500
"""The garbage of one page apart from its records, in records: runs can read many pages with few records."""


class GcControl:
    """Disables automatic collection while entered, and collects after enough records."""

    def __init__(self) -> None:
        self._since = 0
        self._before = False

    def __enter__(self) -> Self:
        self._before = gc.isenabled()
        gc.disable()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before:
            gc.enable()

    def page(self, records: int) -> None:
        """Count a page with this number of records, and collect if it is time to."""
        self._since += records + _OF_A_PAGE
        if self._since >= _BETWEEN:
            self._since = 0
            gc.collect()
