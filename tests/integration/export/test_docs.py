"""Runs the examples of docs/how-to/analysts/export.md."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import psycopg
import pytest
from sqlalchemy import make_url

from etl.export import export
from etl.models import ModelVersion, ModelVersionTag, views
from tests.integration.export.reading import escaped_with_nul
from tests.support.paths import ROOT
from tests.support.sync_env import SyncEnv

DOCS = ROOT / "docs" / "how-to" / "analysts" / "export.md"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))


def blocks(section: str, language: str) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[section], re.DOTALL | re.MULTILINE)
    return found


@pytest.fixture
def folder(env: SyncEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the exports of the examples."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exports").mkdir()
    for name, kind in (("registry", "parquet"), ("duckdb", "duckdb"), ("jsonl", "jsonl"), ("csv", "csv")):
        export(env.url, tmp_path / "exports" / name, kind, views=True)
    return tmp_path


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_duckdb_examples_return_the_rows_of_the_tables(
    folder: Path, env: SyncEnv, duck: duckdb.DuckDBPyConnection
) -> None:
    statements = [query for block in blocks("DuckDB", "sql") for query in block.split(";") if query.strip()]
    *queries, tags = [query for query in statements if "ATTACH" not in query]
    duck.execute(next(query for query in statements if "ATTACH" in query))
    production, frameworks, _prod, models, models_of_csv = (duck.execute(query).fetchall() for query in queries)

    assert len(production) == len(env.rows(views.production_versions)) > 0
    assert dict(frameworks) == {
        row["id"]: (row["manifest"].get("framework") or {}).get("type") if isinstance(row["manifest"], dict) else None
        for row in env.rows(ModelVersion, ModelVersion.deleted_at.is_(None))
    }
    assert len(models) == len(models_of_csv) == len(env.rows(views.current_models))
    assert sorted(tag for (tag,) in duck.execute(tags).fetchall()) == sorted(
        escaped_with_nul(row["tag"]) for row in env.rows(ModelVersionTag)
    )


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_pandas_example_runs(folder: Path, env: SyncEnv) -> None:
    (block,) = blocks("pandas", "python")
    names = dict[str, Any]()
    exec(block, names)  # noqa: S102 as a reader does

    assert isinstance(names["versions"], pd.DataFrame)
    assert len(names["versions"]) == len(env.rows(ModelVersion))
    assert names["comments"]["id"] == "The source's id."
    assert any(isinstance(team, dict) for team in names["teams"])


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_postgresql_example_returns_the_same_rows(env: SyncEnv, tmp_path: Path) -> None:
    (block,) = blocks("PostgreSQL", "sql")
    create, copy = (statement for statement in block.split(";") if statement.strip())
    export(env.url, tmp_path / "raw", "csv", tables=["tag_assignments"], raw=True)
    with psycopg.connect(make_url(env.url).set(drivername="postgresql").render_as_string()) as connection:
        connection.execute(create.encode())
        with connection.cursor().copy(copy.encode()) as copying:
            copying.write((tmp_path / "raw" / "tag_assignments.csv").read_bytes())
        found, expected = (
            connection.execute(f"SELECT * FROM {name} t ORDER BY t".encode()).fetchall()  # noqa: S608 names of the documentation
            for name in ("tag_assignments_elsewhere", "tag_assignments")
        )

    assert found == expected
    assert ("",) in {row[:1] for row in found}
