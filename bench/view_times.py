"""Measures how long each view and each shipped query takes: all rows, and those of one model.

Usage: `python -m bench.view_times [--versions N]… [--database NAME]… [--limit SECONDS]`.

It loads a registry, gives it a history (bench/history.py), and reads all rows of each view once. Then it reads the
rows of a few models, and takes the median. It cancels a query after --limit seconds. It writes results to
bench/results/view_times.json, and replaces those of the same size and database.
"""

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import psycopg

from bench.databases import DATABASES, Loaded, fresh
from bench.dataset import BASE, VERSIONS
from bench.history import statements
from bench.measure import measured
from bench.mock_server import TOKEN, running
from bench.runs import RESULTS, environment_of, log
from bench.tools import OURS
from etl.models import views
from etl.models.queries import QUERIES, shipped_query
from tests.support.databases import postgres_server

SIZES = (50_000, 1_000_000)
MODELS = 5
NAME = "view_times.json"
_AT = "2026-01-01"


class Reader(NamedTuple):
    """`read` reads all rows of a query, and returns their number. `cpu` is the CPU time so far, in seconds."""

    read: Callable[[str], int]
    cpu: Callable[[], float]


def times(loaded: Loaded, limit: float) -> Iterator[dict[str, Any]]:
    """Yield the times of each view and query."""
    dialect = "sqlite" if loaded.url.startswith("sqlite") else "postgresql"
    with reading(loaded, limit) as reader:
        first = f"SELECT id FROM models ORDER BY id LIMIT {MODELS}"  # noqa: S608 a number of our own
        models = [f"'{key}'" for (key,) in loaded.rows_of(first)]
        for view in views.metadata.tables.values():
            all_rows = f"SELECT * FROM {view.name}"  # noqa: S608 names of our own
            result = {"name": view.name, **timed(reader, all_rows)}
            if "model_id" in view.c and "seconds" in result:
                of_one = [timed(reader, f"{all_rows} WHERE model_id = {each}") for each in models]
                if all("seconds" in each for each in of_one):
                    result["one_model"] = round(median(each["seconds"] for each in of_one), 4)
            yield result
        for name in QUERIES:
            sql = shipped_query(name, dialect).replace(":at", f"'{_AT}'").replace(":model", models[0])
            yield {"name": f"{name}.sql", **timed(reader, sql.replace(":version", "1"))}


def timed(reader: Reader, query: str) -> dict[str, Any]:
    """Return the CPU seconds that a query takes, and its number of rows; neither if it takes too long."""
    start = reader.cpu()
    try:
        rows = reader.read(query)
    except (sqlite3.OperationalError, psycopg.errors.QueryCanceled) as error:
        return {"error": str(error)}
    return {"seconds": round(reader.cpu() - start, 4), "rows": rows}


@contextmanager
def reading(loaded: Loaded, limit: float) -> Iterator[Reader]:
    """Connect with the database's own driver; a query ends after `limit` seconds."""
    if loaded.url.startswith("sqlite"):
        with closing(sqlite3.connect(loaded.url.removeprefix("sqlite:///"))) as file:

            def read_file(query: str) -> int:
                end = time.monotonic() + limit
                file.set_progress_handler(lambda: time.monotonic() > end, 1_000_000)
                return sum(1 for _ in file.execute(query))

            yield Reader(read_file, time.process_time)
        return
    with psycopg.connect(loaded.url, autocommit=True) as connection:
        connection.execute(f"SET statement_timeout = {round(limit * 1000)}")
        # In one process, whose CPU time is that of the query. schedstat has nanoseconds.
        connection.execute("SET max_parallel_workers_per_gather = 0")
        backend = Path("/proc", str(connection.info.backend_pid), "schedstat")

        def read_server(query: str) -> int:
            with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT".encode()) as copy:
                return sum(1 for _ in copy.rows())

        yield Reader(read_server, lambda: int(backend.read_text().split()[0]) / 1e9)


def of_size(versions: int, server: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the times with this number of versions."""
    log(f"preparing {versions} versions")
    with running(versions // VERSIONS, states=(BASE,)) as (plane, _):
        for database in args.database or DATABASES:
            with (
                tempfile.TemporaryDirectory(prefix="tfy-etl-bench-") as folder,
                fresh(database, Path(folder), server) as loaded,
            ):
                measured(OURS.at(loaded.url), Path(folder), {"TFY_HOST": plane.url, "TFY_API_KEY": TOKEN})
                for statement in statements(loaded):
                    loaded.execute(statement)
                for each in times(loaded, args.limit):
                    log(f"{versions} versions:", database, "·", *map(str, each.values()))
                    yield {"versions": versions, "database": database, **each}


def main() -> None:
    """Measure each size, and write its results before the next."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, action="append", help="sizes, instead of 50,000 and 1,000,000")
    parser.add_argument("--database", action="append", choices=DATABASES)
    parser.add_argument("--limit", type=float, default=600.0, help="cancel a query after this many seconds")
    args = parser.parse_args()
    path = RESULTS / NAME
    with postgres_server() as server:
        for versions in args.versions or SIZES:
            found = list(of_size(versions, server, args))
            before = json.loads(path.read_text(encoding="utf-8"))["times"] if path.exists() else []
            replaced = {(each["versions"], each["database"]) for each in found}
            other_sizes = [each for each in before if (each["versions"], each["database"]) not in replaced]
            result = {**environment_of(server), "times": [*other_sizes, *found]}
            path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
