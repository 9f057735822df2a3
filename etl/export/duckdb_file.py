"""DuckDB: one file with a table for each table and each view, typed and commented."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from etl.errors import EtlError
from etl.export import arrow
from etl.store.contents import Content, Field, Kind, Row

_NAME = "registry.duckdb"
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "128MB", "threads": 1}
"""By itself it would take most of the machine's memory for its cache."""

_TYPES: Mapping[Kind, str] = {
    "text": "VARCHAR",
    "json": "JSON",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "moment": "TIMESTAMPTZ",
}


class _DuckDb:
    """A file for all tables."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Nothing is written yet."""
        self._connection = connection

    def add(self, content: Content, chunks: Iterator[list[Row]]) -> str:
        """Write a table or view; gives the name of the file."""
        schema = arrow.schema(content)
        with _translate_errors():
            for statement in _create_statements(content):
                self._connection.execute(statement)
        for rows in chunks:
            with _translate_errors():  # each chunk is committed: a transaction takes memory for all that is in it
                self._connection.register("incoming", arrow.batch(schema, content, rows))
                self._connection.execute(f"INSERT INTO {_name(content.name)} SELECT * FROM incoming")  # noqa: S608 a name of ours
                self._connection.unregister("incoming")
        return _NAME


@contextmanager
def files(folder: Path, *, raw: bool) -> Iterator[_DuckDb]:  # noqa: ARG001 text is always as it is
    """A file of DuckDB in this folder; what it spills to disk lies there as well."""
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
    """What makes an empty table, with its comments."""
    name = _name(content.name)
    yield f"CREATE TABLE {name} ({', '.join(map(_column, content.fields))})"
    yield f"COMMENT ON TABLE {name} IS {_literal(content.comment)}"
    for field in content.fields:
        yield f"COMMENT ON COLUMN {name}.{_name(field.name)} IS {_literal(field.comment)}"


def _column(field: Field) -> str:
    return f"{_name(field.name)} {_TYPES[field.kind]}{'' if field.nullable else ' NOT NULL'}"


# Names and comments are the mappings' own.
def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Turn what DuckDB complains of into what others say of a full disk, or into one line."""
    try:
        yield
    except duckdb.Error as error:
        if "No space left" in str(error):
            raise OSError(errno.ENOSPC, "No space left on device") from error
        raise EtlError(f"DuckDB failed: {' '.join(str(error).split())[:300]}.") from error
