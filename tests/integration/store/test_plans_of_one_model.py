"""A filter on one model reads the rows of that model, and not those of the whole registry.

Measured by work, not by time: instructions of SQLite's virtual machine, and rows that PostgreSQL reads.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, Table, insert

from etl.models import Base, views
from etl.store import engine_scope
from tests.support.databases import libpq, new_database

MODELS, VERSIONS, METRICS = 2500, 4, 3  # PostgreSQL rightly reads smaller tables whole

NOW = datetime(2026, 5, 1, tzinfo=UTC)
STORED: dict[str, Any] = {"content_hash": "", "first_seen_at": NOW, "last_changed_at": NOW}
VIEWS = [
    views.alias_history,
    views.cleanup_candidates,
    views.current_model_versions,
    views.latest_metrics,
    views.metric_changes,
    views.model_activity,
    views.model_leaderboard,
    views.model_timeline,
    views.package_usage,
    views.production_history,
    views.production_label_history,
    views.production_models,
    views.production_versions,
    views.stale_models,
    views.tag_history,
    views.undocumented_models,
    views.version_coverage,
    views.version_metadata,
]

Work = Callable[[str], int]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def work(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    """Measure the work of a query in a database with many models."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path_factory.mktemp("models") / "registry.db")
        fill(f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as connection:
            yield lambda query: instructions(connection, query)
        return
    template = request.getfixturevalue("migrated_template")
    with new_database(request.getfixturevalue("postgres_url"), template=template) as url:
        fill(url)
        with psycopg.connect(libpq(url), autocommit=True) as connection:
            connection.execute("ANALYZE")
            yield lambda query: rows(connection, query)


def fill(url: str) -> None:
    """Store models whose versions have metrics, packages, tags and aliases, all of which changed once."""
    with engine_scope(url) as engine, engine.begin() as connection:
        insert_rows(
            connection,
            "models",
            ({"id": f"m{m}", "latest_version_id": f"m{m}v{VERSIONS}"} | STORED for m in range(MODELS)),
        )
        versions = [(m, v, f"m{m}v{v}") for m in range(MODELS) for v in range(1, VERSIONS + 1)]
        insert_rows(
            connection,
            "model_versions",
            (
                {
                    "id": key,
                    "model_id": f"m{m}",
                    "version": v,
                    "version_alias": f"v{v}-{label(v)}",
                    "metadata": {"team": "a"},
                }
                | STORED
                for m, v, key in versions
            ),
        )
        insert_rows(connection, "model_version_tags", (child(key, 0) | {"tag": label(v)} for _, v, key in versions))
        insert_rows(
            connection, "model_version_packages", (child(key, 0) | {"requirement": "torch"} for *_, key in versions)
        )
        insert_rows(
            connection,
            "model_version_metrics",
            (
                child(key, place) | {"key": f"loss_{place}", "value": float(v)}
                for _, v, key in versions
                for place in range(METRICS)
            ),
        )
        insert_rows(
            connection, "metric_directions", ({"key": f"loss_{place}", "better": "lower"} for place in range(METRICS))
        )
        insert_rows(connection, "sync_runs", (a_run(number) for number in range(50)))
        insert_rows(connection, "changes", (a_change(key, "created") for *_, key in versions))
        insert_rows(connection, "changes", (a_change(key, "tag_added", "tags", label(v)) for _, v, key in versions))
        insert_rows(
            connection,
            "changes",
            (a_change(key, "updated", "version_alias", f"v{v}-{label(v)}") for _, v, key in versions),
        )


def label(version: int) -> str:
    """Put all versions but the first into production."""
    return "prod" if version > 1 else "old"


def insert_rows(connection: Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    connection.execute(insert(Base.metadata.tables[table]), list(rows))


def child(version: str, position: int) -> dict[str, Any]:
    return {"model_version_id": version, "position": position}


def a_run(number: int) -> dict[str, Any]:
    counts = dict.fromkeys(("requests", "retries", "bytes_received"), 0)
    started = {"started_at": NOW + timedelta(hours=number), "status": "succeeded", "complete": True, "mode": "full"}
    return {"id": f"run-{number}", "scope": {}, "host": "https://a.example", "tool_version": "0"} | counts | started


def a_change(version: str, kind: str, field: str | None = None, new: str | None = None) -> dict[str, Any]:
    return {
        "run_id": "run-9",
        "observed_at": NOW + timedelta(hours=9 + (kind != "created")),
        "entity": "model_versions",
        "entity_id": version,
        "kind": kind,
        "field": field,
        "new_value": new,
    }


def instructions(connection: sqlite3.Connection, query: str) -> int:
    """Count the instructions that SQLite executes, in hundreds."""
    hundreds = 0

    def count() -> int:
        nonlocal hundreds
        hundreds += 1
        return 0

    connection.set_progress_handler(count, 100)
    assert connection.execute(query).fetchall()  # an empty result would take no work
    connection.set_progress_handler(None, 0)
    return hundreds


def rows(connection: psycopg.Connection[Any], query: str) -> int:
    """Count the rows that PostgreSQL reads from tables and indexes, those that it then leaves out included."""
    explained = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}".encode()).fetchone()
    assert explained is not None
    assert explained[0][0]["Plan"]["Actual Rows"]  # an empty result would take no work
    return read_by(explained[0][0]["Plan"])


def read_by(node: dict[str, Any]) -> int:
    """Count the rows that a node of a plan and those below it read."""
    below = sum(map(read_by, node.get("Plans", ())))
    if "Relation Name" not in node:
        return below
    rows_each = (
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    )
    return below + int(rows_each * node["Actual Loops"])


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_filter_on_one_model_takes_less_work_than_a_scan_of_all_versions(work: Work, view: Table) -> None:
    one = work(f"SELECT * FROM {view.name} WHERE model_id = 'm7'")  # noqa: S608 names of our own

    assert one < work("SELECT id FROM model_versions")
