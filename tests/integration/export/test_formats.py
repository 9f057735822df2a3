import csv
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import BigInteger, Boolean, Double, Table

from etl.export import export
from etl.models.types import RegistryJson, UtcDateTime
from tests.integration.export.conftest import FORMULAS, QUOTED
from tests.integration.export.reading import (
    EVERYTHING,
    Row,
    assert_same_rows,
    duckdb_type,
    escaped,
    escaped_with_nul,
    parsed,
    stored,
)
from tests.support.sync_env import SyncEnv


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "export"


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture
def long_fields() -> Iterator[None]:
    """Allow long fields: by default, Python's CSV reader refuses fields of 300 kB."""
    before = csv.field_size_limit(2**25)
    yield
    csv.field_size_limit(before)


def dicts(relation: duckdb.DuckDBPyRelation) -> list[Row]:
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def test_parquet_equals_the_tables_cell_by_cell_for_arrow_duckdb_and_pandas(
    env: SyncEnv, folder: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    export(env.url, folder, "parquet", views=True)
    for name, table in EVERYTHING.items():
        expected = stored(env, table, escaped)
        file = folder / f"{name}.parquet"

        assert_same_rows(parsed(table, pq.read_table(file).to_pylist()), expected)
        assert_same_rows(parsed(table, dicts(duck.read_parquet(str(file)))), expected)
        assert_same_rows(parsed(table, from_pandas(pd.read_parquet(file, dtype_backend="pyarrow"))), expected)


def from_pandas(frame: pd.DataFrame) -> list[Row]:
    return [
        {name: None if pd.isna(value) else _plain(value) for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


def test_parquet_has_types_and_column_descriptions(env: SyncEnv, folder: Path) -> None:
    export(env.url, folder, "parquet", views=True)
    for name, table in EVERYTHING.items():
        schema = pq.read_schema(folder / f"{name}.parquet")

        assert schema.names == [column.name for column in table.columns]
        assert schema.types == [_arrow_type(column.type) for column in table.columns]
        assert [field.nullable for field in schema] == [column.nullable for column in table.columns]
        assert [field.metadata[b"comment"].decode() for field in schema] == [each.comment for each in table.columns]
        json_columns = [column.name for column in table.columns if isinstance(column.type, RegistryJson)]
        assert [field.name for field in schema if field.metadata.get(b"content") == b"json"] == json_columns
        assert json.loads(schema.metadata[b"json_columns"]) == json_columns
        assert (schema.metadata[b"table"].decode(), schema.metadata[b"comment"].decode()) == (name, table.comment)


def _arrow_type(kind: Any) -> pa.DataType:
    if isinstance(kind, UtcDateTime):
        return pa.timestamp("us", tz="UTC")
    if isinstance(kind, Boolean):
        return pa.bool_()
    if isinstance(kind, Double):
        return pa.float64()
    return pa.int64() if isinstance(kind, BigInteger) else pa.string()


def test_duckdb_equals_the_tables_cell_by_cell_typed_and_commented(env: SyncEnv, folder: Path) -> None:
    export(env.url, folder, "duckdb", views=True)
    assert {each.name for each in folder.iterdir()} == {"registry.duckdb", "manifest.json"}
    with duckdb.connect(folder / "registry.duckdb", read_only=True) as duck:
        duck.execute("SET TimeZone = 'UTC'")
        comments = dict(duck.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall())
        assert comments == {name: table.comment for name, table in EVERYTHING.items()}
        for name, table in EVERYTHING.items():
            assert_same_rows(parsed(table, dicts(duck.table(name))), stored(env, table, escaped))
            types = duck.execute(
                "SELECT column_name, data_type, is_nullable, comment FROM duckdb_columns() "
                "WHERE table_name = ? ORDER BY column_index",
                [name],
            ).fetchall()
            assert types == [
                (each.name, _type_in_file(table, each.name), each.nullable, each.comment) for each in table.columns
            ]


def _type_in_file(table: Table, name: str) -> str:
    return duckdb_type(table, name, text="VARCHAR", moment="TIMESTAMP WITH TIME ZONE", json="JSON")


def test_json_lines_equal_the_tables_cell_by_cell_for_python_and_duckdb(
    env: SyncEnv, folder: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    export(env.url, folder, "jsonl", views=True)
    for name, table in EVERYTHING.items():
        file = folder / f"{name}.jsonl"
        expected = stored(env, table, escaped)
        moments = [each.name for each in table.columns if isinstance(each.type, UtcDateTime)]
        rows = [json.loads(line, parse_constant=_refuse) for line in file.read_bytes().splitlines()]
        for row in rows:
            row |= {each: row[each] and datetime.fromisoformat(row[each]) for each in moments}
        assert_same_rows(rows, expected)

        types = {
            each.name: duckdb_type(table, each.name, text="VARCHAR", moment="TIMESTAMPTZ", json="JSON")
            for each in table.columns
        }
        found = duck.read_json(str(file), columns=types, format="newline_delimited", maximum_object_size=2**25)
        assert_same_rows(parsed(table, dicts(found)), expected)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "guarded"])
@pytest.mark.usefixtures("long_fields")
def test_csv_equals_the_tables_and_distinguishes_null_from_empty(
    *, raw: bool, env: SyncEnv, folder: Path, duck: duckdb.DuckDBPyConnection
) -> None:
    export(env.url, folder, "csv", raw=raw, views=True)
    for name, table in EVERYTHING.items():
        file = folder / f"{name}.csv"
        types = {
            each.name: duckdb_type(table, each.name, text="VARCHAR", moment="TIMESTAMPTZ", json="VARCHAR")
            for each in table.columns
        }
        read = duck.read_csv(
            str(file), columns=types, header=True, quotechar='"', escapechar='"', delimiter=",", parallel=False,
            allow_quoted_nulls=False, max_line_size=2**25, strict_mode=True, auto_detect=False,
        )  # fmt: skip
        found = dicts(read)
        if not raw:
            found = [{key: remove_guard(value) for key, value in row.items()} for row in found]
        assert_same_rows(parsed(table, found), stored(env, table, escaped_with_nul))

        with file.open(encoding="utf-8", newline="") as lines:
            by_python = list(csv.reader(lines, strict=True))
        assert by_python[0] == list(types)
        assert len(by_python) - 1 == len(found)
        assert {len(row) for row in by_python} == {len(types)}


def remove_guard(value: Any) -> Any:
    """Remove one apostrophe if the sign of a formula follows all apostrophes, as the documentation describes."""
    if isinstance(value, str) and value.startswith("'") and value.lstrip("'")[:1] in set("=+-@\t\r\n＝＋－＠") - {""}:  # noqa: RUF001 a full-width sign is meant
        return value[1:]
    return value


def test_csv_guards_formulas_in_text_and_leaves_numbers_alone(env: SyncEnv, folder: Path) -> None:
    export(env.url, folder, "csv", tables=["model_version_tags", "model_versions", "model_version_metrics"])
    with (folder / "model_version_tags.csv").open(encoding="utf-8", newline="") as lines:
        tags = [row["tag"] for row in csv.DictReader(lines) if row["model_version_id"] == "formulas"]
    text = (folder / "model_version_metrics.csv").read_text(encoding="utf-8")

    assert tags == [
        "'=1+1", "'+1", "'-1", "'@sum", "'\tx", "'\rx", "'\nx", "'\uff1d1", "''=1", "'''=1", "'tis", "a=1", "",
        escaped_with_nul(FORMULAS[-1]),
    ]  # fmt: skip
    assert '"\'=HYPERLINK(""http://x"")"' in (folder / "model_versions.csv").read_text(encoding="utf-8")
    assert ",-9223372036854775808," in text
    assert "'" not in text.replace('"\'-Infinity"', "")  # -Infinity is stored as text


def test_csv_is_crlf_utf8_with_text_in_quotes_and_null_as_an_empty_field(env: SyncEnv, folder: Path) -> None:
    export(env.url, folder, "csv", tables=["model_versions"])
    data = (folder / "model_versions.csv").read_bytes()
    head, _, rest = data.decode("utf-8").partition("\r\n")
    line = next(each for each in rest.split("\r\n") if each.startswith('"quoted"'))

    assert head == ",".join(column.name for column in EVERYTHING["model_versions"].columns)
    assert data.endswith(b"\r\n")
    assert line.startswith('"quoted","')
    assert ",," in line
    assert QUOTED.replace('"', '""') in rest


def test_columns_that_depend_on_the_clock_are_exported(env: SyncEnv, folder: Path) -> None:
    export(env.url, folder, "parquet", tables=["sync_freshness", "stale_models"])
    (fresh,) = pq.read_table(folder / "sync_freshness.parquet").to_pylist()
    days = [row["days_since_last_version"] for row in pq.read_table(folder / "stale_models.parquet").to_pylist()]

    assert 0 <= fresh["age_seconds"] < 3600
    assert any(each is not None and each > 0 for each in days)
