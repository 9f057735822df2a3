"""Results for people: the console on stdout, tables, and numbers with their nouns."""

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

_WIDTH = 10_000  # wide enough that no line wraps


def console() -> Console:
    """The console on stdout, without markup. Lines wrap on a terminal only."""
    width = None if sys.stdout.isatty() else _WIDTH
    return Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)


def table(*headings: str, **style: Any) -> Table:
    """A table without borders."""
    return Table(*headings, box=None, pad_edge=False, **style)


def can_show_marks(out: Console) -> bool:
    """Whether ✔ and ✘ are readable: on a terminal that takes UTF-8."""
    return out.is_terminal and not out.is_dumb_terminal and out.encoding.startswith("utf")


def pluralize(number: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: 1 record, 2,000 records."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"
