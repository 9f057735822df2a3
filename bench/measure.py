"""Measures a command: wall and CPU seconds, and the peak memory of all its processes together.

    python -m bench.measure REPORT COMMAND...

It measures in a separate process, because the peak memory of a child starts at that of the process that forked it.
CPU time includes all child processes that have ended. Memory is the sum over all processes, sampled twenty times a
second, or the exact peak of the largest process if that is more.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import psutil

from bench.environment import BARE

ROOT = Path(__file__).parents[1]

_SAMPLES_PER_SECOND = 20
_MAXRSS_BYTES = 1024 if sys.platform == "linux" else 1
_TAIL = 4000


class Failed(Exception):
    """A command failed; the message holds the end of its output."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The measurements of a command, and its output."""

    wall: float
    cpu: float
    peak_mb: float
    out: str


def measured(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Measured:
    """Run a command in a folder and measure it. Raises Failed if its exit code is not 0."""
    report, out, err = (folder / f"measured.{kind}" for kind in ("json", "out", "err"))
    with out.open("wb") as stdout, err.open("wb") as stderr:
        subprocess.run(  # noqa: S603 our own command
            [sys.executable, "-m", "bench.measure", str(report), *command],
            cwd=folder,
            env={**BARE, "PYTHONPATH": str(ROOT), **environment},
            stdout=stdout,
            stderr=stderr,
            check=True,
        )
    result = json.loads(report.read_text(encoding="ascii"))
    output = out.read_text(encoding="utf-8")
    if code := result.pop("code"):
        tail = (output + err.read_text(encoding="utf-8", errors="replace"))[-_TAIL:]
        raise Failed(f"{' '.join(command)} ended with {code}:\n{tail}")
    return Measured(**result, out=output)


def _watch(ended: Event, peaks: list[int]) -> None:
    """Update the peak memory of all child processes together."""
    this = psutil.Process()
    while not ended.wait(1 / _SAMPLES_PER_SECOND):
        total = 0
        for process in this.children(recursive=True):
            with suppress(psutil.Error):
                total += process.memory_info().rss
        peaks[0] = max(peaks[0], total)


def main() -> None:
    """Run the command, and write the report."""
    report, *command = sys.argv[1:]
    ended, peaks = Event(), [0]
    watching = Thread(target=_watch, args=(ended, peaks))
    watching.start()
    began = time.monotonic()
    code = subprocess.run(command, check=False).returncode  # noqa: S603 our own command
    wall = time.monotonic() - began
    ended.set()
    watching.join()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = max(peaks[0], used.ru_maxrss * _MAXRSS_BYTES)
    result = {"code": code, "wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mb": peak / 1e6}
    Path(report).write_text(json.dumps(result), encoding="ascii")


if __name__ == "__main__":
    main()
