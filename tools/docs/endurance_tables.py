"""Generate the tables of `make endurance` and `make fuzz` from bench/results/endurance.jsonl."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from performance_tables import table

_RESULTS = Path(__file__).parents[2] / "bench" / "results" / "endurance.jsonl"
_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "": ""}
_PHASES = (
    "starting", "finding the API", "ML repos", "models", "versions", "comparing", "writing", "once committed",
)  # fmt: skip
_TESTS = {"SIGKILL": "fresh processes killed", "SIGTERM": "fresh processes terminated"}
# These have a table of their own.
_APART = ("by_part", "endings", "memory")
_ORIGIN = ("seconds", "date", "commit", "python", "sqlite", "postgresql")
_LABELS = {"files": "open files", "connections": "open connections", "temporary": "temporary tables"}

Result = dict[str, Any]


def counts() -> str:
    """Return the number of repetitions of each test, with its result."""
    rows = []
    for result in _load_results():
        test, database, unit, *details = result
        shown = [name for name in details if name not in (*_APART, *_ORIGIN)]
        number = f"{result[unit]:,} {unit}"
        in_words = ", ".join(_details(result, shown))
        minutes = f"{result['seconds'] / 60:.1f}" if "seconds" in result else ""
        rows.append((_name(result[test]), _DATABASES[result[database]], number, in_words, minutes))
    return table(("test", "database", "count", "result", "minutes"), rows)


def origins() -> str:
    """Return the commits and versions that were tested."""
    found: dict[tuple[str, ...], list[str]] = {}
    for result in _load_results():
        origin = tuple(result.get(name, "") for name in _ORIGIN[1:])
        heading = ", ".join(filter(None, (_name(result["of"]), _DATABASES[result["dialect"]])))
        found.setdefault(origin, []).append(heading)
    rows = ((*origin, "; ".join(tests)) for origin, tests in found.items())
    return table(("date", "commit", "Python", "SQLite", "PostgreSQL", "tests"), rows)


def phases() -> str:
    """Return the phase in which each run was killed or stopped."""
    found: dict[str, dict[str, int]] = {}
    for result in _load_results():
        for part, number in result.get("by_part", {}).items():
            kind = next((kind for kind in ("fast", "immediate") if part.startswith(kind)), "")
            heading = ", ".join(filter(None, (_name(result["of"]), kind, _DATABASES[result["dialect"]])))
            found.setdefault(heading, {})[part.removeprefix(kind).lstrip(", ")] = number
    rows = ((heading, *(numbers.get(phase, 0) for phase in _PHASES)) for heading, numbers in sorted(found.items()))
    return table(("test", *_PHASES), rows)


def soak_rounds() -> str:
    """Return the rounds of the soak test on each database, in words."""
    soaks = [result for result in _load_results() if "endings" in result]
    return " and ".join(f"{each['rounds']:,} on {_DATABASES[each['dialect']]}" for each in soaks)


def soak() -> str:
    """Return the faults of the soak test, with their exit codes and numbers of runs."""
    soaks = [result for result in _load_results() if "endings" in result]
    endings = sorted({ending for result in soaks for ending in result["endings"]})
    rows = []
    for ending in endings:
        fault, _, code = ending.rpartition(": ")
        rows.append((f"`{fault}`" if re.search("[_,:]", fault) else fault, code, *_runs(soaks, ending)))
    return table(("fault", "exit code", *(f"runs on {_DATABASES[each['dialect']]}" for each in soaks)), rows)


def _runs(soaks: Iterable[Result], ending: str) -> Iterator[int]:
    return (each["endings"].get(ending, 0) for each in soaks)


def memory() -> str:
    """Return the memory of the process in the course of the soak test, in MB."""
    soaks = [result for result in _load_results() if "memory" in result]
    rows = ((_DATABASES[each["dialect"]], *(f"{number / 1e6:.0f}" for number in each["memory"])) for each in soaks)
    moments = (1 + index * soaks[0]["rounds"] // 10 for index in range(len(soaks[0]["memory"])))
    return table(("MB after run", *moments), rows)


def _name(test: str) -> str:
    return _TESTS.get(test, test)


def _details(result: Result, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        value = result[name]
        label = _LABELS.get(name, name.replace("_", " "))
        if isinstance(value, dict):
            yield from (f"{_LABELS.get(key, key)}: {number:,}" for key, number in value.items())
        else:
            is_plain = name == "seed" or isinstance(value, str)
            yield f"{label}: {value}" if is_plain else f"{label}: {value:,}{' s' if 'wait' in name else ''}"


def _load_results() -> list[Result]:
    return [json.loads(line) for line in _RESULTS.read_text(encoding="utf-8").splitlines()]
