"""SQLite knows nothing of how many rows there are, and may choose to read one list whole for each row of another."""

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
def file(migrated_file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(migrated_file)) as connection:
        yield connection


def read_whole(file: sqlite3.Connection, query: str) -> list[int]:
    """How many lists each loop of the plan reads from end to end: those of one parent are nested in each other.

    The tables of words do not grow with the registry, nor do the members of one JSON value, nor `k`, which is constant.
    """
    parameters = {"at": "2026-05-01", "model": "m", "version": 1}
    plan = file.execute(f"EXPLAIN QUERY PLAN {query}", parameters).fetchall()
    small = ("_words", "VIRTUAL TABLE INDEX 1:", "SCAN k")
    scans = [parent for _, parent, _, detail in plan if detail.startswith("SCAN ") and not detail.endswith(small)]
    return list(Counter(scans).values())


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_no_view_reads_a_list_whole_for_each_row_of_another_whatever_is_asked_of_it(
    file: sqlite3.Connection, view: Table
) -> None:
    queries = [f"SELECT * FROM {view.name}"]  # noqa: S608 names of our own
    queries += [f"{queries[0]} WHERE {column.name} = 'x'" for column in view.columns]
    queries += [f"{queries[0]} WHERE {column.name} IS NULL" for column in view.columns if column.name.endswith("_at")]

    assert {query: most for query in queries if (most := max(read_whole(file, query), default=0)) > 1} == {}


@pytest.mark.parametrize("name", QUERIES)
def test_neither_does_a_shipped_query(file: sqlite3.Connection, name: str) -> None:
    assert max(read_whole(file, shipped_query(name, "sqlite"))) == 1


def test_a_product_of_two_lists_would_be_seen(file: sqlite3.Connection) -> None:
    assert max(read_whole(file, "SELECT * FROM models m JOIN changes c ON c.entity_id <> m.id")) == 2
