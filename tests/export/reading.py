"""What is in the database, and in files, cell by cell."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Double, Table

from etl.models import Base, views
from etl.models.types import RegistryJson, UtcDateTime
from etl.redaction import secret_pattern
from tests.models.test_types import named
from tests.support.sync_env import SyncEnv

EVERYTHING: Mapping[str, Table] = {**Base.metadata.tables, **views.metadata.tables}
PASSING = ("age_seconds", "days_since_last_version")
"""Columns that tell how long ago something was."""

Row = dict[str, Any]


def stored(mirror: SyncEnv, table: Table, spelled: Callable[[str], str]) -> list[Row]:
    """The rows of the database, text as a format spells it; what JSON says is spelled alike in all formats."""
    rows = mirror.rows(table)
    for row in rows:
        for column in table.columns:
            value = row[column.name]
            if isinstance(column.type, RegistryJson):
                row[column.name] = _each_text(named(value))
            elif isinstance(value, str):
                row[column.name] = secret_pattern(value)
    return rows


def parsed(table: Table, rows: Iterable[Row]) -> list[Row]:
    """Rows of a file, their JSON read."""
    columns = [column.name for column in table.columns if isinstance(column.type, RegistryJson)]
    return [row | {name: json.loads(row[name]) if row[name] is not None else None for name in columns} for row in rows]


def alike(found: list[Row], expected: list[Row]) -> None:
    """Assert that each row has its like, every cell of the same type and value."""
    missing, strange = Counter(map(_cells, expected)), Counter(map(_cells, found))
    differing = [*(strange - missing), *(missing - strange)]
    assert not differing, "\n".join(differing)[:2000]


def escaped(text: str) -> str:
    """As Parquet, DuckDB and JSON Lines spell text."""
    return "".join(f"␛{ord(each):04X}" if each == "␛" or "\ud800" <= each <= "\udfff" else each for each in text)


def escaped_with_nul(text: str) -> str:
    """As CSV does."""
    return escaped(text).replace("\x00", "␛0000")


def type_in(table: Table, name: str, *, text: str, moment: str, json: str) -> str:
    """The type that DuckDB is to know a column by."""
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
        if name not in PASSING
    }
    # An object of JSONB has its keys in another order.
    return json.dumps(cells, sort_keys=True)


def _each_text(value: Any) -> Any:
    """A value of JSON with each text, and each key, spelled."""
    if isinstance(value, dict):
        return {escaped(key): _each_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_each_text(item) for item in value]
    return escaped(value) if isinstance(value, str) else value
