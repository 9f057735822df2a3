"""Read-only access to a SQLite file, and to no other, for a program with its own queries."""

import sqlite3
from pathlib import Path

from etl.errors import ConfigError
from etl.store.dialects import sqlite
from etl.store.engine import parse_url
from etl.store.store import open_readonly


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
