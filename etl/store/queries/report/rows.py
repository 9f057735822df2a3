"""One state of the database for all queries, and lists that are cut."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func

from etl.store.queries.export import snapshot
from etl.store.store import open_readonly

Row = dict[str, Any]

_FETCHED_ROWS = 1000


class TopRows(NamedTuple):
    """The first rows of a list, and the total number of rows."""

    rows: list[Row]
    total: int


@contextmanager
def open_snapshot(url: str) -> Iterator[Connection]:
    """Begin a transaction in which every query sees the same state, even while runs commit.

    ConfigError if the database does not exist.
    """
    with open_readonly(url) as connection, snapshot(connection):
        yield connection


def fetch(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[Row]:
    """Return all rows of a query."""
    return [_plain(row) for row in connection.execute(query).mappings()]


def stream(connection: Connection, query: Select[*tuple[Any, ...]]) -> Iterator[Row]:
    """Yield the rows of a query, without holding all of them in memory."""
    for row in connection.execute(query, execution_options={"yield_per": _FETCHED_ROWS}).mappings():
        yield _plain(row)


def top(connection: Connection, query: Select[*tuple[Any, ...]], limit: int) -> TopRows:
    """Return the first rows of a query, and count all of them."""
    rows = fetch(connection, query.add_columns(func.count().over().label("of_all")).limit(limit))
    return TopRows(rows, rows[0]["of_all"] if rows else 0)


def _plain(row: Any) -> Row:
    # PostgreSQL returns sums of integers as decimals.
    return {name: int(value) if isinstance(value, Decimal) else value for name, value in row.items()}
