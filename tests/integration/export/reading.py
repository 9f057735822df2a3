"""Rows of the database and of exported files, to compare cell by cell."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Double, Table

from etl.models import Base, views
from etl.models.types import RegistryJson, UtcDateTime
from tests.integration.models.test_types import with_named_floats
from tests.support.sync_env import SyncEnv

EVERYTHING: Mapping[str, Table] = {**Base.metadata.tables, **views.metadata.tables}
TIME_DEPENDENT = ("age_seconds", "days_since_last_version", "duration_seconds")
"""Columns whose value depends on the clock."""

_ESCAPES = {code: f"␛{code:04X}" for code in (ord("␛"), *range(0xD800, 0xE000))}

Row = dict[str, Any]


def stored(env: SyncEnv, table: Table, escape: Callable[[str], str]) -> list[Row]:
    """Return the rows of the database, with text escaped as in the format."""
    rows = env.rows(table)
    for row in rows:
        for column in table.columns:
            value = row[column.name]
            if isinstance(column.type, RegistryJson):
                row[column.name] = _each_text(with_named_floats(value))
            elif isinstance(value, str):
                row[column.name] = escape(value)
    return rows


def parsed(table: Table, rows: Iterable[Row]) -> list[Row]:
    """Parse the JSON columns of rows of a file."""
    columns = [column.name for column in table.columns if isinstance(column.type, RegistryJson)]
    return [row | {name: json.loads(row[name]) if row[name] is not None else None for name in columns} for row in rows]


def assert_same_rows(found: list[Row], expected: list[Row]) -> None:
    """Assert that both have the same rows, with equal types and values."""
    missing, unexpected = Counter(map(_cells, expected)), Counter(map(_cells, found))
    differing = [*(unexpected - missing), *(missing - unexpected)]
    assert not differing, "\n".join(differing)[:2000]


def escaped(text: str) -> str:
    """Escape text as in Parquet, DuckDB and JSON Lines."""
    return text.translate(_ESCAPES)


def escaped_with_nul(text: str) -> str:
    """Escape text as in CSV."""
    return escaped(text).replace("\x00", "␛0000")


def duckdb_type(table: Table, name: str, *, text: str, moment: str, json: str) -> str:
    """Return the expected type of a column in DuckDB."""
    kind = table.columns[name].type
    if isinstance(kind, RegistryJson):
        return json
    if isinstance(kind, UtcDateTime):
        return moment
    if isinstance(kind, Boolean):
        return "BOOLEAN"
    if isinstance(kind, Double):
        return "DOUBLE"
    return "BIGINT" if isinstance(kind, BigInteger) else text


def _cells(row: Row) -> str:
    cells = {
        name: value.timestamp() if isinstance(value, datetime) else value
        for name, value in row.items()
        if name not in TIME_DEPENDENT
    }
    # JSONB does not keep the order of keys.
    return json.dumps(cells, sort_keys=True)


def _each_text(value: Any) -> Any:
    """Escape all texts and keys of a JSON value."""
    if isinstance(value, dict):
        return {escaped(key): _each_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_each_text(item) for item in value]
    return escaped(value) if isinstance(value, str) else value
