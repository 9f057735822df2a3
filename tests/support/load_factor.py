"""Scales the endurance tests: small in the suite, large with `make endurance`.

`make endurance` sets TFY_ETL_TEST_SCALE, and TFY_ETL_TEST_REPORT, the file for the counts.
"""

import fcntl
import json
import os
import platform
import sqlite3
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

LOAD_FACTOR = int(os.environ.get("TFY_ETL_TEST_SCALE", "1"))
"""Factor for the number of rounds, kills and examples."""

FULL_SCALE = 50
"""The factor of the published counts."""

_REPORT = os.environ.get("TFY_ETL_TEST_REPORT")
_began = [time.monotonic()]


def repetitions(small: int, *, at_full_scale: int) -> int:
    """Return `small` in the suite, or `at_full_scale` times LOAD_FACTOR / FULL_SCALE, at least `small`."""
    return small if LOAD_FACTOR == 1 else max(small, at_full_scale * LOAD_FACTOR // FULL_SCALE)


def is_time_to_report(done: int, wanted: int) -> bool:
    """Whether a test reports its counts so far: every 50 rounds, in case it is stopped, and at its end."""
    return done == wanted or done % 50 == 0


def start_clock() -> None:
    """Start the clock of the next report."""
    _began[0] = time.monotonic()


def report(of: str, dialect: str = "", /, **counted: object) -> None:
    """Replace the test's counts in the file that TFY_ETL_TEST_REPORT names; print them if it is unset."""
    result = {"of": of, "dialect": dialect} | counted | {"seconds": round(time.monotonic() - _began[0])}
    if not _REPORT:
        print(json.dumps(result))  # noqa: T201 pytest shows it with -rA
        return
    with Path(_REPORT).open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # tests may run in several processes
        file.seek(0)
        results = {_key(each): each for each in map(json.loads, file)}
        results[of, dialect] = result | _origin(dialect)
        file.truncate(0)
        file.writelines(f"{json.dumps(each)}\n" for each in results.values())


def _key(result: dict[str, Any]) -> tuple[str, str]:
    return result["of"], result["dialect"]


def _origin(dialect: str) -> dict[str, str]:
    """Return what was tested, and when."""
    versions = {}
    if dialect == "postgresql":
        from tests.support.databases import server_version  # the environment of the fuzzer has no driver

        versions["postgresql"] = server_version()
    git = subprocess.run(
        # The reports themselves change a file.
        ["git", "-C", ROOT, "log", "--max-count=1", "--format=%h"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": git.stdout.strip(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    } | versions
