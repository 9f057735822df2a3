"""Run a command on a pseudo-terminal, and render its screen at the end."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.patience import patience

_PARTS = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")
_COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?3[0-7](?:;[0-9;]*)?m")


class Shown(NamedTuple):
    """The exit code, the screen at the end, and everything that was written."""

    code: int
    screen: str
    written: str

    @property
    def result(self) -> str:
        """What was written after the progress bars."""
        return self.written.rpartition("\x1b[?25h")[2]

    @property
    def has_colour(self) -> bool:
        """Whether the result has colours."""
        return bool(_COLOUR.search(self.result))


def show(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    type_when: Callable[[str], bytes | None] = lambda _: None,
) -> Shown:
    """Run a command on a terminal of 100 columns.

    `type_when` is called with everything written so far, until it returns keys to type.
    """
    terminal, child_end = pty.openpty()
    fcntl.ioctl(child_end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm", **(env or {})}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment = {key: value for key, value in environment.items() if key != name or key in (env or {})}
    process = subprocess.Popen(  # in a session of its own, so that Ctrl+C reaches this command only
        command, cwd=cwd, env=environment, stdin=child_end, stdout=child_end, stderr=child_end, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 no threads start before it
    )  # fmt: skip
    os.close(child_end)
    written, typed = b"", False
    while chunk := _read(terminal):
        written += chunk
        if not typed and (keys := type_when(written.decode(errors="replace"))):
            os.write(terminal, keys)
            typed = True
    os.close(terminal)
    text = written.decode(errors="replace")
    return Shown(process.wait(patience()), render(text), text)


def render(written: str) -> str:
    """The lines that a terminal shows after this output; supports only the codes of progress bars."""
    lines, row, column = [""], 0, 0
    for codes, letter, move, text in _PARTS.findall(written):
        if letter == "A":
            row = max(0, row - int(codes or 1))
        elif letter == "K":
            lines[row] = ""
        elif move == "\r":
            column = 0
        elif move == "\n":
            row += 1
            lines += [""] * (row - len(lines) + 1)
        elif text:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + text + line[column + len(text) :]
            column += len(text)
    return "\n".join(line.rstrip() for line in lines).rstrip()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux reports a closed terminal as an error
        return b""
