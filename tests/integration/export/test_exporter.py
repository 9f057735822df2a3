import hashlib
import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, event, text

import etl
from etl.errors import ConfigError, EtlError
from etl.export import FORMATS, export
from etl.models import Base, ModelVersion, SyncRun
from etl.simulator import Registry
from etl.store import open_readonly, schema
from tests.integration.export.reading import EVERYTHING
from tests.support.disks import Disk, small_disk
from tests.support.sync_env import SyncEnv, sync_env


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "export"


@pytest.fixture
def synced(migrated_url: str) -> Iterator[SyncEnv]:
    """A registry without malformed records, after a run."""
    with sync_env(migrated_url) as env:
        env.sync()
        yield env


@pytest.fixture
def disk() -> Iterator[Disk]:
    with small_disk(64) as disk:
        yield disk


def rows_in(folder: Path, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / f"{table}.parquet").to_pylist()
    return rows


def hashes_of(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}


def test_export_is_from_one_snapshot_while_a_run_commits(synced: SyncEnv, folder: Path) -> None:
    before = synced.row(SyncRun)
    runs = list[str]()

    def run_during_export(*arguments: Any) -> None:
        """Sync after the first table was written, before the third is read."""
        if "FROM model_run_steps" in arguments[2] and not runs:
            runs.append("at work")
            synced.registry.add_version(synced.registry.ids("models")[0])
            runs[:] = [str(synced.sync().run_id)]

    event.listen(Engine, "before_cursor_execute", run_during_export)
    try:
        manifest = export(synced.url, folder, "parquet", views=True)
    finally:
        event.remove(Engine, "before_cursor_execute", run_during_export)

    assert [row["id"] for row in rows_in(folder, "sync_runs")] == [before["id"]]
    assert manifest["newest_run"]["id"] == manifest["last_complete_run"]["id"] == before["id"] != runs[0]
    assert len(rows_in(folder, "model_versions")) == len(rows_in(folder, "current_model_versions")) == 36
    assert len(synced.rows(ModelVersion)) == 37


@pytest.mark.parametrize("format", FORMATS)
def test_manifest_describes_each_file(format: str, synced: SyncEnv, folder: Path) -> None:
    result = export(synced.url, folder, format, views=True)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (run,) = synced.rows(SyncRun)
    tables = {table["table"]: table for file in manifest["files"] for table in file["tables"]}

    assert manifest == result
    assert {name: manifest[name] for name in ("kind", "format", "tool_version", "schema_revision")} == {
        "kind": "tfy-etl export",
        "format": format,
        "tool_version": etl.__version__,
        "schema_revision": schema.head(),
    }
    assert manifest["newest_run"]["id"] == run["id"]
    assert {file["file"]: file["sha256"] for file in manifest["files"]} == {
        name: digest for name, digest in hashes_of(folder).items() if name != "manifest.json"
    }
    assert all(file["bytes"] == (folder / file["file"]).stat().st_size for file in manifest["files"])
    assert {name: table["rows"] for name, table in tables.items()} == {
        name: len(synced.rows(table)) for name, table in EVERYTHING.items()
    }
    for name, table in EVERYTHING.items():
        assert tables[name]["description"] == table.comment
        assert [(each["name"], each["nullable"], each["description"]) for each in tables[name]["columns"]] == [
            (each.name, each.nullable, each.comment) for each in table.columns
        ]
    assert [each["type"] for each in tables["model_version_metrics"]["columns"]] == [
        "text", "int64", "text", "double", "text", "int64", "int64", "timestamp",
    ]  # fmt: skip
    assert {each["type"] for each in tables["model_versions"]["columns"]} == {
        "text", "int64", "boolean", "json", "timestamp",
    }  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_only_the_requested_tables_are_written(format: str, synced: SyncEnv, folder: Path) -> None:
    manifest = export(synced.url, folder, format, tables=["latest_metrics", "models"])

    assert [table["table"] for file in manifest["files"] for table in file["tables"]] == ["models", "latest_metrics"]
    if format == "duckdb":
        with duckdb.connect(folder / "registry.duckdb", read_only=True) as duck:
            assert duck.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall() == [
                ("latest_metrics",),
                ("models",),
            ]
    else:
        assert {each.name for each in folder.iterdir()} == {
            "manifest.json", f"models.{format}", f"latest_metrics.{format}",
        }  # fmt: skip


@pytest.mark.parametrize("format", FORMATS)
def test_a_database_without_a_run_is_exported_with_every_table_empty(
    format: str, migrated_url: str, folder: Path
) -> None:
    manifest = export(migrated_url, folder, format, views=True)

    assert (manifest["newest_run"], manifest["last_complete_run"]) == (None, None)
    tables = [table for file in manifest["files"] for table in file["tables"] if not table["table"].endswith("_words")]
    assert {table["rows"] for table in tables} <= {0}
    if format == "parquet":
        assert pq.read_table(folder / "models.parquet").num_rows == 0


def test_two_exports_of_the_same_tables_are_the_same_files(synced: SyncEnv, tmp_path: Path) -> None:
    names = list(Base.metadata.tables)
    for kind in ("parquet", "csv", "jsonl"):
        one, other = (export(synced.url, tmp_path / name, kind, tables=names)["files"] for name in ("one", "other"))
        assert one == other


def test_unknown_table_raises_config_error_with_a_suggestion(synced: SyncEnv, folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no table or view 'model_version': did you mean model_versions\?"):
        export(synced.url, folder, "csv", tables=["models", "model_version"])
    with pytest.raises(ConfigError, match=r"There is no table or view 'zzz': use one of .*ml_repos, "):
        export(synced.url, folder, "csv", tables=["zzz"])

    assert not folder.exists()


def test_missing_database_writes_no_export(folder: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist: tfy-etl sync"):
        export(f"sqlite:///{folder}.db", folder, "csv")

    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("format", FORMATS)
def test_full_disk_leaves_the_earlier_export_and_no_other_files(
    format: str, disk: Disk, migrated_file: Path, tmp_path: Path
) -> None:
    registry = Registry.generate(seed=7, models=50, versions=4, metrics=10)
    with sync_env(f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'registry.db')}", registry) as env:
        env.sync(page_size=100)
        target = disk.folder / "export"
        export(env.url, target, format, views=True)
        before = hashes_of(target)
        disk.fill(but=40_000)
        with pytest.raises(EtlError, match=r"No space left on device: free disk space, .* is unchanged\.$") as result:
            export(env.url, target, format, views=True)

        assert result.value.exit_code == 1
        assert hashes_of(target) == before
        assert {each.name for each in disk.folder.iterdir()} == {"export", "filler"}
        disk.make_room()
        assert export(env.url, target, format, views=True)["newest_run"]


def test_read_only_disk_raises_config_error(disk: Disk, migrated_file: Path, tmp_path: Path) -> None:
    disk.forbid_writing()
    with pytest.raises(ConfigError, match=r"Cannot write .*/export \(Read-only file system\): fix the permissions"):
        export(f"sqlite:///{migrated_file}", disk.folder / "export", "csv")


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_killed_export_leaves_the_earlier_one_and_the_next_cleans_up(synced: SyncEnv, folder: Path) -> None:
    export(synced.url, folder, "jsonl", views=True)
    before = hashes_of(folder)
    with synced.connection() as connection:
        connection.execute(text("LOCK TABLE version_read_state IN ACCESS EXCLUSIVE MODE"))
        process = synced.start("--format", "jsonl", str(folder), command="export")
        while not list(folder.parent.glob(".export.*/models.jsonl")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert hashes_of(folder) == before
    assert len(list(folder.parent.glob(".export.*"))) == 1
    export(synced.url, folder, "jsonl", views=True)
    assert list(folder.parent.glob(".export.*")) == []


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_export_reads_through_server_side_cursors(synced: SyncEnv, folder: Path) -> None:
    statements = list[str]()

    def note(*arguments: Any) -> None:
        statements.append(type(arguments[1]).__name__)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        export(synced.url, folder, "csv", views=True)
    finally:
        event.remove(Engine, "before_cursor_execute", note)

    assert statements.count("ServerCursor") == len(EVERYTHING)


def test_the_database_is_not_written(synced: SyncEnv, folder: Path) -> None:
    before = synced.dump()
    export(synced.url, folder, "csv", views=True)

    assert synced.dump() == before
    with open_readonly(synced.url) as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM sync_runs")).scalar() == 1
