"""A SQLite file for a program that brings queries of its own: to look at, and nothing beside it."""

import sqlite3
from pathlib import Path

from etl.errors import ConfigError
from etl.store.dialects import sqlite
from etl.store.engine import parse_url
from etl.store.store import open_readonly


def file_to_browse(url: str) -> Path:
    """The file of the URL; ConfigError when there is none, or it is not as this release knows it."""
    address = parse_url(url)
    path = sqlite.file_of(address) if address.get_backend_name() == "sqlite" else None
    if path is None:
        raise ConfigError("tfy-etl explore shows a SQLite file: docs/postgresql.md tells how to look at PostgreSQL.")
    with open_readonly(url):
        return path


def connect(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, not even to another file, and that threads may share."""
    connection = sqlite3.connect(sqlite.address_for_a_look(path), uri=True, check_same_thread=False)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    return connection
