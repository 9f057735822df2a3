"""What people wrote into the registry, made safe to show on a terminal, and where results are shown."""

import sys

from rich.console import Console

_WIDTH = 100


def shown(value: object) -> str:
    """The value as text in which nothing moves the cursor, sets a colour or turns the direction of writing."""
    text = "" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def console() -> Console:
    """Standard output; nothing in a text is taken for markup. A file or a pipe is as wide every time."""
    width = None if sys.stdout is not None and sys.stdout.isatty() else _WIDTH  # a closed one is None
    return Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)
