"""Results on stdout that cannot be printed: the disk is full, or their reader has left."""

import logging
import os
import sys
from collections.abc import Callable

_log = logging.getLogger(__name__)


def tell(result: Callable[[], None], *, written: bool) -> None:
    """Print a result. That it cannot be printed changes nothing about work that is done, nor its exit code."""
    try:
        result()
    except (OSError, SystemExit) as error:  # rich ends the process when its reader has left
        if not written:  # printing is all that was to be done
            raise
        _log.error("the result could not be printed: %s", getattr(error, "strerror", "its reader has left"))
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:  # Python would try once more when it ends, and exit with a code of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
