"""The runs of one tool on one database, measured from outside, and their results in the database."""

import json
import os
import platform
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from bench.databases import Loaded, fresh
from bench.dataset import expected
from bench.measure import Failed, Measured, measured
from bench.mock_server import TOKEN, Running
from bench.tools import STATES, Tool
from tests.support.databases import libpq

RESULTS = Path(__file__).parent / "results"

OUR_PACKAGES = ("sqlalchemy", "httpx", "psycopg")
_PACKAGES = (*OUR_PACKAGES, "dlt", "singer-sdk", "meltanolabs-target-postgres")

FIGURES = ("wall", "cpu", "server_cpu", "peak_mb", "requests", "bytes", "rows", "size_mb")

Result = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """The mock server, its dataset, and the PostgreSQL server for databases."""

    plane: Running
    dataset: Path
    server: str

    def runs(self, tool: Tool, database: str, runs: Sequence[str]) -> Iterator[Result]:
        """Run a tool on a fresh database; an error ends its runs."""
        with tempfile.TemporaryDirectory(prefix="tfy-etl-bench-") as folder, self._fresh(folder, database) as loaded:
            environment = {"TFY_HOST": self.plane.url, "TFY_API_KEY": TOKEN}
            if before := tool.before_at(loaded.url):
                measured(before, Path(folder), environment)
            for run in runs:
                if run in tool.runs:
                    result = {"tool": tool.name, "database": database, "run": run}
                    try:
                        yield result | self._run(tool, loaded, run, Path(folder), environment)
                    except Failed as failure:
                        if tool.ours:
                            raise
                        yield result | {"error": str(failure)}
                        return

    def _fresh(self, folder: str, database: str) -> Any:
        return fresh(database, Path(folder), self.server)

    def _run(self, tool: Tool, loaded: Loaded, run: str, folder: Path, environment: Mapping[str, str]) -> Result:
        state = STATES[run]
        self.plane.switch(state=state)
        loaded.settle()
        server_cpu = loaded.server_cpu()
        measurement = measured(tool.at(loaded.url), folder, environment)
        served = self.plane.switch()
        after = loaded.server_cpu()
        result = {
            "wall": round(measurement.wall, 3),
            "cpu": round(measurement.cpu, 3),
            "server_cpu": None if after is None or server_cpu is None else round(after - server_cpu, 2),
            "peak_mb": round(measurement.peak_mb, 1),
            "requests": served.requests,
            "bytes": served.bytes,
        }
        return result | self._check_rows(tool, loaded, state, measurement)

    def _check_rows(self, tool: Tool, loaded: Loaded, state: str, measurement: Measured) -> Result:
        """Return the numbers of loaded rows, and their differences from the served dataset."""
        found = loaded.found(tool.found) if tool.found else json.loads(measurement.out)
        truth = expected(self.dataset, state)
        missing = {name: truth[name] - count for name, count in found.items() if count != truth[name]}
        if missing and tool.ours:
            raise Failed(f"{tool.name} does not hold what was served: {missing} on {loaded.url}")
        rows = loaded.rows() if tool.found else {}
        size = {"size_mb": round(loaded.size_mb(), 1)} if tool.found else {}
        return {"found": found, "missing": missing, "tables": rows, "rows": sum(rows.values()), **size}


def environment_of(server: str, packages: Sequence[str] = _PACKAGES) -> Result:
    """Return the time, the machine and the versions of the measured software."""
    with psycopg.connect(libpq(server)) as connection:
        postgresql = connection.info.parameter_status("server_version")
        settings = {name: connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "shared_buffers")}
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {
            "Python": platform.python_version(),
            "SQLite": sqlite3.sqlite_version,
            "PostgreSQL": postgresql,
            **{name: version(name) for name in packages},
        },
        "postgresql_settings": {name: row and row[0] for name, row in settings.items()},
    }


def medians(measured: Sequence[Result], keys: Sequence[str]) -> list[Result]:
    """Return the median of each figure by these keys, over the successful rounds."""
    groups: dict[tuple[Any, ...], list[Result]] = {}
    for each in measured:
        groups.setdefault(tuple(each[key] for key in keys), []).append(each)
    return [dict(zip(keys, group, strict=True)) | _medians(results) for group, results in groups.items()]


def _medians(results: Sequence[Result]) -> Result:
    succeeded = [each for each in results if "error" not in each]
    if not succeeded:
        return {"rounds": 0, "error": results[0]["error"]}
    figures = {name: [each[name] for each in succeeded if each.get(name) is not None] for name in FIGURES}
    return (
        {"rounds": len(succeeded)}
        | {name: median(values) for name, values in figures.items() if values}
        | {"wall_range": [min(figures["wall"]), max(figures["wall"])]}
        | {name: succeeded[-1][name] for name in ("found", "missing", "tables")}
    )


def write(name: str, result: Result, summary: Sequence[Result], measured: Sequence[Result]) -> None:
    """Write the results, from which the documentation is generated, one line per measurement."""
    parts = [f'"{key}": {json.dumps(value)}' for key, value in result.items()]
    short = [{key: value for key, value in each.items() if key not in {"found", "tables"}} for each in measured]
    for key, lines in (("summary", summary), ("measured", short)):
        parts.append(f'"{key}": [\n' + ",\n".join(map(json.dumps, lines)) + "\n]")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def log(*words: object) -> None:
    """Print progress to stderr."""
    print(*words, file=sys.stderr, flush=True)
