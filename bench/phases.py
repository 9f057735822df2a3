"""Measures how the time of a first load is spent, on SQLite and on PostgreSQL.

Usage: `python -m bench.phases [--models 10000] [--rounds 3] [--label now]`.

It runs a sync in this process and times its parts by wrapping their functions; a call of another part counts for
that part. The main thread is measured by wall clock, the threads that fetch by their processor time. Python runs one
thread at a time. `index` is the time to rebuild all indexes of the loaded database, which is a part of `merge`.
Results are written to bench/results/phases.json, which keeps earlier results with other labels.
"""

import argparse
import gc
import json
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa

from bench.databases import DATABASES, fresh
from bench.dataset import BASE
from bench.mock_server import TOKEN, Running, running
from bench.runs import RESULTS, environment_of, log
from bench.tools import PAGE_SIZE
from etl.settings import Settings
from etl.source import client, fetch_pool
from etl.store import open_engine, reconcile, staging, store
from etl.sync import Interrupts, run, stage_pages
from tests.support.databases import migrate, postgres_server

PARTS: tuple[tuple[str, Any, str], ...] = (
    ("wait", fetch_pool.Task, "result"),
    ("parse", client, "parse_envelope"),
    ("hash", stage_pages, "identify"),
    ("transform", stage_pages, "to_rows"),
    ("stage", staging.Staging, "known"),
    ("stage", staging.Staging, "stage"),
    ("stage", staging.Staging, "mark_due"),
    ("merge", reconcile, "tallies"),
    ("merge", store.Store, "commit"),
    ("close", store.Store, "__exit__"),
)
ORDER = ("wait", "parse", "hash", "transform", "stage", "merge", "close", "other", "wall", "index")


class Clock:
    """Seconds of each part: wall time of the main thread, and processor time of other threads."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open_parts: list[str] = ["other"]
        self._since = time.perf_counter()

    def timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function so that its time counts for a part."""

        def timed_call(*arguments: Any, **named: Any) -> Any:
            watch = self._main(part) if threading.current_thread() is threading.main_thread() else self._worker(part)
            with watch:
                return call(*arguments, **named)

        return timed_call

    @contextmanager
    def _main(self, part: str) -> Iterator[None]:
        self.add_elapsed()
        self._open_parts.append(part)
        try:
            yield
        finally:
            self.add_elapsed()
            self._open_parts.pop()

    @contextmanager
    def _worker(self, part: str) -> Iterator[None]:
        began = time.thread_time()
        try:
            yield
        finally:
            self.seconds[part] += time.thread_time() - began

    def add_elapsed(self) -> None:
        """Add the time since the last call to the current part of the main thread."""
        now = time.perf_counter()
        self.seconds[self._open_parts[-1]] += now - self._since
        self._since = now


class Silence:
    """Progress without output."""

    def phase(self, name: str) -> None:
        """Print nothing."""

    def advance(self, entity: str, records: int, total: int | None) -> None:
        """Print nothing."""


@contextmanager
def timed_parts(clock: Clock) -> Iterator[None]:
    """Time all parts inside this context."""
    before = [(owner, name, getattr(owner, name)) for _, owner, name in PARTS]
    for part, owner, name in PARTS:
        setattr(owner, name, clock.timed(part, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, call in before:
            setattr(owner, name, call)


def phases(plane: Running, database: str, server: str) -> dict[str, float]:
    """Return the seconds of each part of a first load into a fresh database."""
    with (
        tempfile.TemporaryDirectory(prefix="tfy-etl-bench-") as folder,
        fresh(database, Path(folder), server) as loaded,
    ):
        settings = Settings(host=plane.url, api_key=TOKEN, database_url=loaded.url, page_size=PAGE_SIZE)
        migrate(loaded.url)
        gc.collect()
        clock, began = Clock(), time.perf_counter()
        with timed_parts(clock), Interrupts() as interrupts:
            summary = run(settings, interrupts=interrupts, progress=Silence())
        clock.add_elapsed()
        wall = time.perf_counter() - began
        assert summary.complete  # noqa: S101 an incomplete run is not comparable
        return dict(clock.seconds) | {"wall": wall, "index": reindexing(loaded.url)}


def reindexing(url: str) -> float:
    """Return the seconds to rebuild all indexes."""
    engine = open_engine(url)
    name = sa.make_url(url).database
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        began = time.perf_counter()
        connection.exec_driver_sql("REINDEX" if engine.dialect.name == "sqlite" else f'REINDEX DATABASE "{name}"')
        seconds = time.perf_counter() - began
    engine.dispose()
    return seconds


def main() -> None:
    """Run the benchmark, and write the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--label", default="now")
    args = parser.parse_args()
    gc.set_threshold(50_000, 20, 100)  # as `tfy-etl sync` sets it
    measured: dict[str, list[dict[str, float]]] = defaultdict(list)
    with running(args.models, states=(BASE,)) as (plane, _), postgres_server() as server:
        result = environment_of(server)
        for _ in range(args.rounds):
            for database in DATABASES:
                measured[database].append(phases(plane, database, server))
                log(database, {part: round(seconds, 2) for part, seconds in measured[database][-1].items()})
    results = RESULTS / "phases.json"
    stored = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    stored[args.label] = {"at": result["at"], "models": args.models, "rounds": args.rounds} | {
        database: {part: round(median(each.get(part, 0.0) for each in runs), 2) for part in ORDER}
        for database, runs in measured.items()
    }
    results.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
