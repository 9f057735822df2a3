"""Python's search for garbage that refers to itself, at moments of our choosing.

Left to itself it looks through every page's records many times over, a third of a run's time, though none of them is
garbage of that kind. What is are SQLAlchemy's statements, which hold on to the ids and rows they were made for.
"""

import gc
from types import TracebackType
from typing import Self

_BETWEEN = 20_000
"""Records between two looks: a look costs a hundredth of what they take, and what waits for it stays below 10 MB."""

_OF_A_PAGE = 500
"""What a page leaves behind, in records: of pages with few records there are many."""


class GcControl:
    """While entered, garbage is looked for when enough records came."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self._since = 0
        self._before = False

    def __enter__(self) -> Self:
        """Have Python look no more by itself."""
        self._before = gc.isenabled()
        gc.disable()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As it was before."""
        if self._before:
            gc.enable()

    def page(self, records: int) -> None:
        """A page with so many records came."""
        self._since += records + _OF_A_PAGE
        if self._since >= _BETWEEN:
            self._since = 0
            gc.collect()
