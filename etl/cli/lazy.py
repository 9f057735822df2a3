"""What a command does is imported when it runs.

Cron asks for a status often, and people for help or with a slip of the fingers: none of them should wait for libraries
of HTTP or databases that the answer does not need. Behind that one import, a command's own module imports what it needs
as usual, and before it begins.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lazy_import() -> Iterator[None]:
    """What is imported stays to the end: to search it for garbage, while it comes and ever after, is work for nothing.

    It takes a quarter of a status, most of it when the process ends.
    """
    collects, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:  # a caller in Python may come again, with garbage of its own by then
            gc.freeze()
        if collects:
            gc.enable()
