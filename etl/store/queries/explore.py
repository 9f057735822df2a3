"""Read-only access to a SQLite file, and to no other, for a program with its own queries."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import SingletonThreadPool

from etl.errors import ConfigError
from etl.store.dialects import sqlite
from etl.store.engine import parse_url
from etl.store.store import open_readonly

T = TypeVar("T")


def file_to_browse(url: str) -> Path:
    """Return the file of the URL.

    ConfigError if the URL names no existing SQLite file; SchemaMismatch if its revision is not this release's.
    """
    address = parse_url(url)
    path = sqlite.file_of(address) if address.get_backend_name() == "sqlite" else None
    if path is None:
        raise ConfigError("tfy-etl explore shows a SQLite file: see docs/how-to/analysts/postgresql.md for PostgreSQL.")
    with open_readonly(url):
        return path


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write or attach any file, and that threads may share."""
    connection = sqlite3.connect(sqlite.readonly_uri(path), uri=True, check_same_thread=False)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    return connection


def page_reader(connect: Callable[[], sqlite3.Connection]) -> Callable[[Callable[[Connection], T]], T]:
    """Return a function that calls another one with a connection, in a transaction that sees one state of the file.

    Each thread keeps the connection that `connect` opens for it.
    """
    engine = create_engine("sqlite://", creator=connect, poolclass=SingletonThreadPool, pool_reset_on_return=None)
    sqlite.DIALECT.prepare(engine)

    def read(query: Callable[[Connection], T]) -> T:
        with engine.connect() as connection, connection.begin():
            return query(connection)

    return read
