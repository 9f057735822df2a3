"""Fresh databases for the tools to load, and queries of what they loaded."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.support.databases import libpq, new_database

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
DATABASES = (SQLITE, POSTGRESQL)

Queries = Mapping[str, str]
"""Queries by name; each returns one number."""

_SCHEMAS = "registry, public"
_SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
_POSTGRESQL_TABLES = (
    "SELECT schemaname || '.' || tablename FROM pg_tables "
    "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
)


class Loaded:
    """A database; its URL begins with sqlite:/// or postgresql://."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else None

    def settle(self) -> None:
        """Flush earlier writes to disk, so that they do not slow down the next run."""
        os.sync()
        if not self._file:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute("CHECKPOINT")

    def found(self, queries: Queries) -> dict[str, int]:
        """Return the result of each query."""
        return {name: self.rows_of(query)[0][0] for name, query in queries.items()}

    def rows(self) -> dict[str, int]:
        """Return the number of rows of each table; names in PostgreSQL include the schema."""
        names = [name for (name,) in self.rows_of(_SQLITE_TABLES if self._file else _POSTGRESQL_TABLES)]
        quoted = (".".join(f'"{part}"' for part in name.split(".")) for name in names)
        return {
            name: self.rows_of(f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 names of the catalogue
            for name, table in zip(names, quoted, strict=True)
        }

    def execute(self, statement: str) -> None:
        """Execute a statement that writes."""
        if self._file:
            with closing(sqlite3.connect(self._file)) as file, file:
                file.execute(statement)
            return
        with psycopg.connect(self.url) as server:
            server.execute(statement.encode())

    def size_mb(self) -> float:
        """Return its size on disk in MB."""
        if self._file:
            files = self._file.parent.glob(f"{self._file.name}*")
            return sum(file.stat().st_size for file in files) / 1e6
        size: int = self.rows_of("SELECT pg_database_size(current_database())")[0][0]
        return size / 1e6

    def server_cpu(self) -> float | None:
        """Return the CPU seconds of the server so far; None if there is no server on this machine."""
        if self._file:
            return None
        pid = int(self.rows_of("SELECT pg_read_file('postmaster.pid')")[0][0].split("\n")[0])
        with suppress(psutil.NoSuchProcess):
            server = psutil.Process(pid)
            if "postgres" in server.name():
                return sum(map(cpu_of, [server, *server.children()]))
        return None

    def rows_of(self, query: str) -> list[Any]:
        """Return the rows of a query."""
        if self._file:
            with closing(sqlite3.connect(self._file)) as connection:
                return connection.execute(query).fetchall()
        with psycopg.connect(self.url) as connection:
            connection.execute(f"SET search_path TO {_SCHEMAS}")
            return connection.execute(query).fetchall()


@contextmanager
def fresh(kind: str, folder: Path, server: str) -> Iterator[Loaded]:
    """Yield an empty database: a file in the folder, or a temporary one on `server`."""
    if kind == SQLITE:
        yield Loaded(f"sqlite:///{folder}/registry.db")
        return
    with new_database(server) as url:
        yield Loaded(libpq(url))


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and of its children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # The times of the parent include those of backends that have ended.
    return float(times.user + times.system + times.children_user + times.children_system)
