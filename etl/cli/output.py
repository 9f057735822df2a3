"""Unbuffered stdout and stderr. stdout raises on its first failed write, stderr ignores failed writes.

At exit, Python flushes both streams. If a flush fails, Python prints a report of its own and exits with 120. So neither
stream buffers text here: each write goes to the file descriptor at once.

stdout  holds the result. The first write that fails raises, and every later one is discarded.
stderr  holds messages. A write that fails is discarded: there is nowhere left to report it.
"""

import errno
import io
import logging
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_log = logging.getLogger(__name__)


class Unprintable(OSError):
    """The result could not be written to stdout, although its reader has not closed the pipe."""


class _Descriptor(io.FileIO):
    """A file descriptor whose `write` writes everything."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream.fileno(), "w", closefd=False)

    def write(self, data: "ReadableBuffer", /) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest:
            written: int | None = super().write(rest)
            if written is None:  # not ready: another process has made the pipe non-blocking
                select.select((), (self,), ())
            else:
                rest = rest[written:]
        return size


class _Results(_Descriptor):
    """Standard output. After a failure it discards everything, because half of a result is useless."""

    _failed = False

    def write(self, data: "ReadableBuffer", /) -> int:
        if self._failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self._failed = True
            if error.errno == errno.EPIPE:  # click and rich handle a closed pipe
                raise
            raise Unprintable(error.errno, error.strerror) from error


class _Messages(_Descriptor):
    """Standard error. It tries each write, because a full disk may have space again."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def guard_streams() -> None:
    """Replace the streams of this process, except those that a Python caller has set."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # escape characters that the encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stdout is sys.__stdout__:
        sys.stdout = _guarded(sys.stdout, _Results)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _guarded(sys.stderr, _Messages)


def _guarded(stream: TextIO | None, kind: type[_Descriptor]) -> Any:
    if stream is None:  # closed: a database or a socket must not get its descriptor
        return Path(os.devnull).open("w", encoding="utf-8")
    return io.TextIOWrapper(kind(stream), encoding=stream.encoding, errors=stream.errors, write_through=True)


def print_result(show: Callable[[], None], *, work_done: bool) -> None:
    """Print a result. If the work is done, log a failure to print it, and keep the exit code.

    Log nothing if the reader of a pipe has closed it, as `head` does.
    """
    try:
        show()
    except (OSError, SystemExit) as error:
        if not work_done:
            raise
        if not isinstance(error, BrokenPipeError | SystemExit):  # rich exits if the pipe is closed
            _log.error("cannot print the result: %s", error.strerror)
