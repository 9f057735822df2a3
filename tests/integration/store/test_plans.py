"""SQLite has no row counts, so its planner might scan one table in full for each row of another."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Table

from etl.models import views
from etl.models.queries import QUERIES, shipped_query

VIEWS = list(views.metadata.tables.values())


@pytest.fixture(scope="module")
def connection(migrated_file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(migrated_file)) as opened:
        yield opened


def count_full_scans(connection: sqlite3.Connection, query: str) -> list[int]:
    """Count the full scans in each loop of the plan: scans with the same parent are nested.

    Scans that do not grow with the registry are left out: tables of words, one JSON value, and the constant `k`.
    """
    parameters = {"at": "2026-05-01", "model": "m", "version": 1}
    plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", parameters).fetchall()
    small = ("_words", "VIRTUAL TABLE INDEX 1:", "SCAN k")
    scans = [parent for _, parent, _, detail in plan if detail.startswith("SCAN ") and not detail.endswith(small)]
    return list(Counter(scans).values())


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_no_filter_on_a_view_scans_a_table_for_each_row_of_another(connection: sqlite3.Connection, view: Table) -> None:
    queries = [f"SELECT * FROM {view.name}"]  # noqa: S608 names of our own
    queries += [f"{queries[0]} WHERE {column.name} = 'x'" for column in view.columns]
    queries += [f"{queries[0]} WHERE {column.name} IS NULL" for column in view.columns if column.name.endswith("_at")]

    assert {
        query: scans for query in queries if (scans := max(count_full_scans(connection, query), default=0)) > 1
    } == {}


@pytest.mark.parametrize("name", QUERIES)
def test_no_shipped_query_scans_a_table_for_each_row_of_another(connection: sqlite3.Connection, name: str) -> None:
    assert max(count_full_scans(connection, shipped_query(name, "sqlite"))) == 1


def test_nested_full_scans_are_counted(connection: sqlite3.Connection) -> None:
    assert max(count_full_scans(connection, "SELECT * FROM models m JOIN changes c ON c.entity_id <> m.id")) == 2
