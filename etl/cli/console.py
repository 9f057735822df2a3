"""Results drawn for people: standard output, and the tables on it."""

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDTH = 10_000  # of a line that nobody has to scroll


def console() -> Console:
    """Standard output; nothing in a text is taken for markup. In a file or a pipe no line is folded."""
    width = None if sys.stdout.isatty() else _WIDTH
    return Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)


def table(*headings: str, **looks: Any) -> Table:
    """A table without lines."""
    return Table(*headings, box=None, pad_edge=False, **looks)


def pluralize(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: 1 record, 2 records."""
    return f"{number} {singular if number == 1 else plural or f'{singular}s'}"
