"""Every block of SQL in the documents runs on each database that it is meant for."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
import pytest
from sqlalchemy import make_url

from etl.simulator import Registry
from tests.support.databases import libpq, new_database
from tests.support.paths import ROOT
from tests.support.sync_env import sync_env

ANALYSTS = "docs/how-to/analysts"
RECIPES, HISTORY = f"{ANALYSTS}/sql-recipes.md", f"{ANALYSTS}/history.md"
RUN_ELSEWHERE = {
    ROOT / ANALYSTS / "postgresql.md",  # by tests/e2e/store/test_readers.py, each block as the role that it is for
    ROOT / ANALYSTS / "export.md",  # by tests/integration/export/test_docs.py, in DuckDB
}

POSTGRESQL_ONLY = "<!-- PostgreSQL only -->"
_BLOCK = re.compile(rf"({POSTGRESQL_ONLY}\s*)?^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """SQL between two fences."""

    document: str
    number: int
    sql: str
    postgresql_only: bool


def blocks() -> Iterator[Block]:
    for path in (ROOT / "README.md", *sorted({*(ROOT / "docs").rglob("*.md")} - RUN_ELSEWHERE)):
        found = _BLOCK.finditer(path.read_text(encoding="utf-8"))
        for number, match in enumerate(found, start=1):
            yield Block(path.relative_to(ROOT).as_posix(), number, match[2], match[1] is not None)


BLOCKS = list(blocks())
QUESTIONS = [block for block in BLOCKS if block.document in {RECIPES, HISTORY}]


def block_id(block: Block) -> str:
    return f"{block.document}-{block.number}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database in which each query of the documents returns rows."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("filled") / "registry.db"
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), path)}"
        fill(url)
        yield url
        return
    template = request.getfixturevalue("migrated_template")
    with new_database(request.getfixturevalue("postgres_url"), template=template) as url:
        fill(url)
        yield url


def fill(url: str) -> None:
    """Do two runs with changes in between, so that each query of the documents returns rows."""
    registry = Registry.generate(seed=3, models=20, versions=2, metrics=4)
    model = registry.add_model("1", "fraud-scorer")
    registry.add_model("1", "empty")
    registry.delete_version(registry.add_version(model))  # its number stays missing
    versions = [registry.add_version(model) for _ in range(2)]
    for number, version in enumerate(versions):
        registry.set_fields(version, {"metrics": [{"key": "val/auc", "value": 0.9 - number / 2}], "tags": ["prod"]})
        manifest = registry.get("model-versions", version)["manifest"]
        environment = {"python_version": "3.9.18", "pip_packages": ["torch==2.4.0", "numpy>=1.26"]}
        framework = {"type": "transformers", "base_model": "bert"}
        fields = {"description": None, "environment": environment, "framework": framework, "version_alias": "v1-prod"}
        registry.set_fields(version, {"manifest": manifest | fields})
    with sync_env(url, registry) as env:
        former_author = {
            "subjectId": "u-9",
            "subjectType": "user",
            "subjectSlug": "nobody",
            "subjectDisplayName": "Nobody",
        }
        registry.set_fields(registry.ids("models")[0], {"created_by_subject": former_author})
        env.sync()
        registry.set_tags(versions[0], ["was-prod"])
        registry.set_tags(registry.add_version(model), ["prod"])
        registry.delete_version(versions[0])
        registry.restore(versions[0])
        registry.delete_model(registry.ids("models")[0])
        env.sync(allow_mass_delete=True)


def run(url: str, sql: str) -> list[Any]:
    """Run a block, undo its writes, and return the rows of its last statement."""
    now = {"at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")} if ":at" in sql else None
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database))) as file:
            return file.execute(sql, now or {}).fetchall()
    with psycopg.connect(libpq(url)) as connection:
        cursor = connection.execute(sql.replace(":at", "%(at)s").encode() if now else sql.encode(), now)
        found = cursor.fetchall() if cursor.description else []
        connection.rollback()
        return found


@pytest.mark.parametrize("block", BLOCKS, ids=block_id)
def test_every_block_of_sql_runs(filled: str, block: Block) -> None:
    if block.postgresql_only and filled.startswith("sqlite"):
        with pytest.raises(sqlite3.Error):
            run(filled, block.sql)  # otherwise the mark is wrong
    else:
        run(filled, block.sql)


@pytest.mark.parametrize("block", QUESTIONS, ids=block_id)
def test_every_query_of_recipes_and_history_returns_rows(filled: str, block: Block) -> None:
    assert run(filled, block.sql)


def test_blocks_are_found_with_their_marks_of_postgresql() -> None:
    found = _BLOCK.findall(
        f"```sql\nSELECT 1;\n```\n\n{POSTGRESQL_ONLY}\n```sql\nSELECT 2;\n```\n```sh\nSELECT 3\n```\n"
    )

    assert [(bool(mark), sql) for mark, sql in found] == [(False, "SELECT 1;\n"), (True, "SELECT 2;\n")]
    assert {"README.md", RECIPES, HISTORY} <= {block.document for block in BLOCKS}
