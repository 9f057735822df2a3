"""Measures the start time of commands, compared with that of Python alone.

    python bench/startup.py [--runs 25] [--json bench/results/startup.json]

It times whole processes from outside. The commands alternate, so that a slow phase of the machine affects all of
them. The first round is not counted, because it may compile modules. It prints a Markdown table, and writes the
figures as JSON. The syncs read a simulated control plane of 20 models on loopback, which shares the cores.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import etl
from bench.environment import BARE
from etl.simulator import Registry, Simulator

RESULTS = Path(__file__).parent / "results" / "startup.json"
COMMAND = str(Path(sys.executable).with_name("tfy-etl"))
TOKEN = "bench-token"  # noqa: S105 a token of the simulator
HEAD = ("command", "modules imported", "ms", "ms more than Python", "times Python", "CPU ms")


class Command(NamedTuple):
    """A command, or Python alone without `arguments`; `fresh` is a database to delete before each start."""

    name: str
    arguments: tuple[str, ...] | None
    code: int = 0
    fresh: str | None = None

    def line(self, *options: str) -> list[str]:
        """Return the command line: the installed command, or a Python module if Python gets options."""
        if self.arguments is None:
            return [sys.executable, *options, "-c", "pass"]
        return [*((sys.executable, *options, "-m", "etl") if options else (COMMAND,)), *self.arguments]


COMMANDS = (
    Command("python -c pass", None),
    Command("tfy-etl --version", ("--version",)),
    Command("tfy-etl --help", ("--help",)),
    Command("tfy-etl sync --help", ("sync", "--help")),
    Command("tfy-etl status, no database", ("status", "--database-url", "sqlite:///none.db"), 2),
    Command("tfy-etl status", ("status", "--database-url", "sqlite:///seen.db")),
    Command("tfy-etl status --output json", ("status", "--output", "json", "--database-url", "sqlite:///seen.db")),
    Command("tfy-etl sync, nothing new", ("sync", "--database-url", "sqlite:///synced.db")),
    Command("tfy-etl sync, a first load", ("sync", "--database-url", "sqlite:///new.db"), fresh="new.db"),
)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Medians of one command; the number of `modules` does not depend on the machine."""

    command: str
    modules: int
    wall_ms: float
    over_python_ms: float
    times_python: float
    cpu_ms: float


def main() -> None:
    """Measure, print the table, and write the figures."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=25)
    options.add_argument("--json", type=Path, default=RESULTS)
    args = options.parse_args()
    figures = measured(args.runs)
    print(table(figures))
    result = {
        "runs": args.runs,
        "tfy_etl": etl.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "commands": [asdict(each) for each in figures],
    }
    args.json.parent.mkdir(exist_ok=True)
    args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measured(runs: int) -> list[Figures]:
    """Run the commands in turn in a temporary folder, with one round before those that count."""
    walls: dict[str, list[float]] = {each.name: [] for each in COMMANDS}
    cpus: dict[str, list[float]] = {each.name: [] for each in COMMANDS}
    registry = Registry.generate(1, ml_repos=2, models=20, versions=3, metrics=3)
    with tempfile.TemporaryDirectory() as folder, Simulator(registry, token=TOKEN) as plane:
        for name in ("seen", "synced"):
            start([COMMAND, "sync", "--database-url", f"sqlite:///{name}.db"], folder, plane)
        for number in range(runs + 1):
            for each in COMMANDS:
                if each.fresh:
                    Path(folder, each.fresh).unlink(missing_ok=True)
                wall, cpu, _ = start(each.line(), folder, plane, code=each.code)
                if number:
                    walls[each.name].append(wall)
                    cpus[each.name].append(cpu)
        modules = {each.name: imported(each, folder, plane) for each in COMMANDS}
    python = median(walls[COMMANDS[0].name])
    return [
        Figures(
            command=name,
            modules=modules[name],
            wall_ms=round(median(samples), 1),
            over_python_ms=round(median(samples) - python, 1),
            times_python=round(median(samples) / python, 1),
            cpu_ms=round(median(cpus[name]), 1),
        )
        for name, samples in walls.items()
    ]


def start(line: Sequence[str], folder: str, plane: Simulator, *, code: int = 0) -> tuple[float, float, str]:
    """Run a command; return its wall and CPU milliseconds and its stderr."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(  # noqa: S603 only commands of this module
        line,
        cwd=folder,
        env=BARE | {"TFY_HOST": plane.url, "TFY_API_KEY": TOKEN},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != code:
        sys.exit(f"{' '.join(line)} ended with {done.returncode}: {done.stderr}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * seconds, 1000 * used, done.stderr


def imported(command: Command, folder: str, plane: Simulator) -> int:
    """Return the number of modules that the command imports."""
    if command.fresh:
        Path(folder, command.fresh).unlink(missing_ok=True)
    _, _, result = start(command.line("-X", "importtime"), folder, plane, code=command.code)
    return len({line.rpartition("|")[2] for line in result.splitlines() if line.startswith("import time:")})


def table(figures: Sequence[Figures]) -> str:
    """Format the figures as a Markdown table."""
    rows = [
        (each.command, each.modules, f"{each.wall_ms:.0f}", f"{each.over_python_ms:.0f}", each.times_python,
         f"{each.cpu_ms:.0f}")
        for each in figures
    ]  # fmt: skip
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (HEAD, ["---"] * len(HEAD), *rows))


if __name__ == "__main__":
    main()
