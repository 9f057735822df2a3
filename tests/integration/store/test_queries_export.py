import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, select, text

from etl.models import VERSION_TABLE, Base, ModelVersionMetric, SyncRun, views
from etl.store import open_readonly, queries
from tests.integration.models.test_types import with_named_floats
from tests.support.malformed_records import KEPT, ODD, REFUSED, serve
from tests.support.sync_env import SyncEnv

EVERYTHING = {**Base.metadata.tables, **views.metadata.tables}

_TIME_DEPENDENT = {"sync_freshness": "age_seconds", "production_history": "duration_seconds"}
"""The views with a column that depends on the time of the query."""


@pytest.fixture
def filled(env: SyncEnv) -> SyncEnv:
    """Valid and malformed records, after two runs with a change between them."""
    serve(env, KEPT | REFUSED)
    env.sync()
    env.registry.set_fields(env.registry.ids("model-versions")[0], {"tags": ["prod", ODD], "deployable": True})
    env.sync(full=True)
    return env


@pytest.fixture
def connection(filled: SyncEnv) -> Iterator[Connection]:
    with open_readonly(filled.url) as connection:
        yield connection


def read_rows(connection: Connection, name: str, chunk: int = queries.export.CHUNK_ROWS) -> list[queries.export.Row]:
    return [row for rows in queries.export.rows(connection, name, chunk) for row in rows]


def dicts(connection: Connection, name: str) -> list[dict[str, Any]]:
    names = [field.name for field in queries.export.tables_and_views()[name].fields]
    return [dict(zip(names, row, strict=True)) for row in read_rows(connection, name)]


def test_every_table_and_view_but_that_of_migrations_is_listed(env: SyncEnv) -> None:
    with env.connection() as connection:
        inspector = inspect(connection)
        found = {*inspector.get_table_names(), *inspector.get_view_names()}

    assert set(queries.export.tables_and_views()) == found - {VERSION_TABLE}


def test_tables_and_columns_are_described_as_in_the_mappings() -> None:
    versions = queries.export.tables_and_views()["model_versions"]
    fields = {field.name: field for field in versions.fields}

    assert (versions.is_view, versions.comment) == (
        False,
        "Versions of the models, deleted ones included: see deleted_at.",
    )
    assert fields["id"] == ("id", "text", False, "The source's id.")
    assert {name: fields[name].kind for name in ("version", "deployable", "created_at", "metadata", "extra")} == {
        "version": "integer",
        "deployable": "boolean",
        "created_at": "moment",
        "metadata": "json",
        "extra": "json",
    }
    assert queries.export.tables_and_views()["model_version_metrics"].fields[3][:3] == ("value", "number", True)
    assert queries.export.tables_and_views()["latest_metrics"].is_view


def test_each_value_is_returned_as_stored_and_json_as_text(connection: Connection) -> None:
    for name, table in EVERYTHING.items():
        kinds = {field.name: field.kind for field in queries.export.tables_and_views()[name].fields}
        with queries.export.snapshot(connection):
            found = dicts(connection, name)
            stored = [dict(row) for row in connection.execute(select(*table.columns)).mappings()]
        for row in found:
            row |= {column: row[column] and json.loads(row[column]) for column in row if kinds[column] == "json"}
        for row in stored:
            row |= {column: with_named_floats(row[column]) for column in row if kinds[column] == "json"}
        if age := _TIME_DEPENDENT.get(name):  # time passes between the two queries
            assert [row.pop(age) for row in found] == pytest.approx([row.pop(age) for row in stored], abs=3600)

        assert sorted(map(repr, found)) == sorted(map(repr, stored))
        assert found or name in views.metadata.tables or name == "pruned_history"  # nothing was pruned


def test_each_value_has_the_type_of_its_column(connection: Connection) -> None:
    types = {"text": str, "json": str, "integer": int, "number": float, "boolean": bool, "moment": datetime}
    for name, content in queries.export.tables_and_views().items():
        with queries.export.snapshot(connection):
            found = read_rows(connection, name)
        for place, field in enumerate(content.fields):
            assert {type(row[place]) for row in found} - {types[field.kind]} <= {type(None)}, field
            if field.kind == "moment":
                assert {row[place].utcoffset() for row in found if row[place]} <= {timedelta(0)}


def test_rows_are_in_the_order_of_the_key_and_in_chunks_of_the_given_length(filled: SyncEnv) -> None:
    with open_readonly(filled.url) as connection, queries.export.snapshot(connection):
        chunks = list(queries.export.rows(connection, "model_version_metrics", 7))
        together = read_rows(connection, "model_version_metrics")

    assert [row for chunk in chunks for row in chunk] == together
    assert {len(chunk) for chunk in chunks[:-1]} == {7}
    assert [row[:2] for row in together] == [
        (row["model_version_id"], row["position"]) for row in filled.rows(ModelVersionMetric)
    ]


def test_chunks_of_wide_rows_are_short(env: SyncEnv) -> None:
    env.sync()
    wide = "w" * 1_000_000
    with env.connection() as connection:
        table = Base.metadata.tables["model_versions"]
        row = dict(connection.execute(select(*table.columns).limit(1)).mappings().one())
        connection.execute(
            table.insert(), [row | {"id": f"wide-{number:03}", "description": wide} for number in range(300)]
        )
    with open_readonly(env.url) as connection, queries.export.snapshot(connection):
        lengths = [len(chunk) for chunk in queries.export.rows(connection, "model_versions")]

    assert sum(lengths) == 336
    assert max(lengths) <= 200


def test_snapshot_does_not_see_what_a_run_commits_at_the_same_time(filled: SyncEnv) -> None:
    with open_readonly(filled.url) as connection, queries.export.snapshot(connection) as now:
        before = {name: read_rows(connection, name) for name in EVERYTHING if name not in _TIME_DEPENDENT}
        newest = queries.export.newest_run(connection)
        filled.registry.add_version(filled.registry.ids("models")[0])
        summary = filled.sync()
        after = {name: read_rows(connection, name) for name in before}
        assert queries.export.newest_run(connection) == newest
    with open_readonly(filled.url) as connection, queries.export.snapshot(connection) as later:
        found = {name: read_rows(connection, name) for name in before}
        run = queries.export.newest_run(connection)

    assert before == after
    assert len(found["model_versions"]) == len(before["model_versions"]) + 1
    assert run is not None
    assert newest is not None
    assert run.id == summary.run_id != newest.id
    assert now <= later


def test_snapshot_is_fixed_before_anything_is_read(filled: SyncEnv) -> None:
    with open_readonly(filled.url) as connection, queries.export.snapshot(connection):
        filled.registry.add_version(filled.registry.ids("models")[0])
        run = filled.sync()
        found = read_rows(connection, "sync_runs")

    assert run.run_id not in {row[0] for row in found}


def test_last_complete_run_can_be_another_than_the_newest(filled: SyncEnv) -> None:
    complete, newest = (row["id"] for row in filled.rows(SyncRun))
    with filled.connection() as connection:
        connection.execute(text("UPDATE sync_runs SET started_at = '2024-05-01 10:00:00+00', complete = true"))
        connection.execute(
            text("UPDATE sync_runs SET started_at = '2024-05-02 10:00:00+00', complete = false WHERE id = :id"),
            {"id": newest},
        )
    with open_readonly(filled.url) as connection, queries.export.snapshot(connection):
        last, last_complete = (
            queries.export.newest_run(connection),
            queries.export.newest_run(connection, complete=True),
        )

    assert last is not None
    assert last_complete is not None
    assert (last.id, last.complete, last_complete.id, last_complete.complete) == (newest, False, complete, True)


def test_snapshot_of_a_database_without_runs_has_a_time(migrated_url: str) -> None:
    with open_readonly(migrated_url) as connection, queries.export.snapshot(connection) as now:
        assert queries.export.newest_run(connection) is None
    assert abs(now - datetime.now(UTC)) < timedelta(hours=1)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_snapshot_reads_views_of_history_without_jit(migrated_url: str) -> None:
    with open_readonly(migrated_url) as connection, queries.export.snapshot(connection):
        plan = connection.scalars(text("EXPLAIN SELECT * FROM production_versions")).all()
    assert not [line for line in plan if line.startswith("JIT")]
