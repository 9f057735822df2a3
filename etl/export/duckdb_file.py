"""DuckDB: one database file with a typed and commented table for each table and view."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from etl.errors import EtlError
from etl.export import arrow
from etl.store.queries.export import Content, Field, Kind, Row

_NAME = "registry.duckdb"
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "128MB", "threads": 1}
"""Without a limit, DuckDB uses most of the machine's memory."""

_TYPES: Mapping[Kind, str] = {
    "text": "VARCHAR",
    "json": "JSON",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "moment": "TIMESTAMPTZ",
}


class _DuckDb:
    """Writes all tables to one file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def add(self, content: Content, chunks: Iterator[list[Row]]) -> str:
        """Write a table or view, and return the name of the file."""
        schema = arrow.schema(content)
        with _translate_errors():
            for statement in _create_statements(content):
                self._connection.execute(statement)
        for rows in chunks:
            with _translate_errors():  # one transaction per chunk, since an open transaction is held in memory
                self._connection.register("incoming", arrow.batch(schema, content, rows))
                self._connection.execute(f"INSERT INTO {_name(content.name)} SELECT * FROM incoming")  # noqa: S608 the name comes from our schema
                self._connection.unregister("incoming")
        return _NAME


@contextmanager
def open_writer(folder: Path, *, raw: bool) -> Iterator[_DuckDb]:  # noqa: ARG001 only CSV has raw text
    """Write a DuckDB file to a folder, which also holds its temporary files."""
    with _translate_errors():
        connection = duckdb.connect(folder / _NAME, config=_SETTINGS)
    try:
        yield _DuckDb(connection)
        with _translate_errors():
            connection.execute("CHECKPOINT")
    finally:
        with _translate_errors():
            connection.close()


def _create_statements(content: Content) -> Iterator[str]:
    """Yield the statements that create an empty table with its comments."""
    name = _name(content.name)
    yield f"CREATE TABLE {name} ({', '.join(map(_column, content.fields))})"
    yield f"COMMENT ON TABLE {name} IS {_literal(content.comment)}"
    for field in content.fields:
        yield f"COMMENT ON COLUMN {name}.{_name(field.name)} IS {_literal(field.comment)}"


def _column(field: Field) -> str:
    return f"{_name(field.name)} {_TYPES[field.kind]}{'' if field.nullable else ' NOT NULL'}"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate errors of DuckDB: a full disk to OSError, any other to EtlError."""
    try:
        yield
    except duckdb.Error as error:
        if "No space left" in str(error):
            raise OSError(errno.ENOSPC, "No space left on device") from error
        raise EtlError(f"DuckDB failed: {' '.join(str(error).split())[:300]}.") from error
