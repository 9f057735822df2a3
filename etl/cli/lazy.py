"""Import the implementation of a command when the command runs.

Cron calls `status` often, and users call `--help` or mistype an option: these must not wait for libraries of HTTP or
databases that they do not need. Each command imports one module, and that module imports what it needs at its top.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports_without_gc() -> Iterator[None]:
    """Keep the garbage collector away from the imported modules, which live until the process ends.

    This saves a quarter of the time of `status`, most of it at exit.
    """
    collects, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:  # a caller in Python may call again, with garbage of its own
            gc.freeze()
        if collects:
            gc.enable()
