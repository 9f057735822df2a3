"""Run a command on a pseudo-terminal, and draw what its screen shows as HTML."""

import codecs
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from html import escape
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

_TOKEN = re.compile(r"\x1b\[(?P<numbers>[?\d;]*)(?P<command>[A-Za-z])|(?P<break>[\r\n])|(?P<text>[^\x1b\r\n]+)")
_ROWS = 50

LIGHT = TerminalTheme(
    (255, 255, 255),
    (31, 35, 40),
    [(36, 41, 47), (207, 34, 46), (17, 99, 41), (77, 45, 0), (9, 105, 218), (130, 80, 223), (27, 124, 131),
     (110, 119, 129)],
    [(87, 96, 106), (164, 14, 38), (26, 127, 55), (99, 60, 1), (33, 139, 255), (164, 117, 249), (49, 146, 170),
     (140, 149, 159)],
)  # fmt: skip
DARK = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255), (188, 140, 255), (57, 197, 207),
     (177, 186, 196)],
    [(110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255), (86, 212, 221),
     (240, 246, 252)],
)  # fmt: skip


class Screen:
    """The lines of a terminal, with their colours. It knows the control codes that rich writes."""

    def __init__(self) -> None:
        self._lines = [""]
        self._row = 0
        self._at_start = True

    def feed(self, output: str) -> None:
        """Apply output to the screen. A text at the start of a line replaces the line."""
        for token in _TOKEN.finditer(output):
            if token["break"] == "\n":
                self._row += 1
                self._lines += [""] * (self._row + 1 - len(self._lines))
                self._at_start = True
            elif token["break"]:
                self._at_start = True
            elif token["text"]:
                self._write(token["text"])
            else:
                self._control(token["command"], token["numbers"], token[0])

    def _write(self, text: str) -> None:
        if self._at_start:
            self._lines[self._row] = ""
            self._at_start = False
        self._lines[self._row] += text

    def _control(self, command: str, numbers: str, code: str) -> None:
        if command == "A":
            self._row = max(0, self._row - int(numbers or 1))
        elif command == "K":
            self._lines[self._row] = ""
        elif command == "m":
            self._write(code)

    def text(self) -> str:
        """Return the lines, without empty ones at the end."""
        return "\n".join(self._lines).rstrip()


def record(command: Sequence[str], *, columns: int, environment: Mapping[str, str], cwd: Path) -> list[str]:
    """Run a command on a terminal, and return its screen after each piece of output. Raises if the command fails."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env={**environment, **terminal}
    ) as process:
        os.close(theirs)
        screen, frames, output = Screen(), [], ""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        while read := _read(ours):
            output += decoder.decode(read)
            end = re.search(r"(\x1b[^A-Za-z]*)?$", output)  # a control code may be cut at the end
            whole = output[: end.start()] if end else output
            screen.feed(whole)
            output = output[len(whole) :]
            frames.append(screen.text())
        os.close(ours)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}:\n{screen.text()}")
    return [*frames, screen.text()]


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # the process has closed its end
        return b""


def as_html(screen: str, theme: TerminalTheme, columns: int) -> str:
    """Return the screen as HTML with inline colours."""
    console = Console(record=True, width=columns, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(screen), highlight=False)
    return console.export_html(theme=theme, inline_styles=True, code_format="{code}")


def prompt(command: str) -> str:
    """Return a command as typed at a prompt, in HTML."""
    return f'<span class="prompt">$</span> <b>{escape(command)}</b>\n'
