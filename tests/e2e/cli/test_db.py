import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import inspect, select

from etl.models import ProductionWord
from etl.simulator import Simulator
from etl.store import engine_scope, open_engine, schema
from etl.store.dialects import postgresql
from tests.e2e.cli.commands import COMMAND
from tests.e2e.cli.conftest import Cli
from tests.support.databases import new_database, wait_for_waiting_locks


def test_upgrade_creates_the_schema_and_then_changes_nothing(database_url: str, tfy_etl: Cli) -> None:
    url = ("--database-url", database_url)
    assert tfy_etl("db", "upgrade", *url).out.startswith(f"Created at revision {schema.head()}: ")
    assert tfy_etl("db", "upgrade", *url).out.startswith(f"The schema is already at revision {schema.head()}: ")
    assert tfy_etl("db", "current", *url).out == f"{schema.head()}\n"
    assert tfy_etl("db", "check", *url).out == f"The schema matches this release: revision {schema.head()}.\n"


def test_upgrade_stores_the_production_tags_of_config_file_and_option(folder: Path, tfy_etl: Cli) -> None:
    (folder / "etl.toml").write_text('production-tags = "serving"\nlower-is-better = "churn"\n', encoding="utf-8")
    url = f"sqlite:///{folder / 'registry.db'}"
    upgrade = ("--config", "etl.toml", "db", "upgrade", "--database-url", url)
    assert (tfy_etl(*upgrade).code, production_words(url)) == (0, {"serving"})
    done = tfy_etl(*upgrade, "--production-tags", "Prod, env=live")
    assert (done.code, production_words(url)) == (0, {"prod", "env:live"})
    assert "Tags and aliases that mean production: Prod, env=live.\n" in done.out
    done = tfy_etl(*upgrade, "--production-tags", ",")
    assert (done.code, "--production-tags names no word" in done.err) == (2, True)


def production_words(url: str) -> set[str]:
    """The stored words that mean production."""
    with engine_scope(url) as engine, engine.connect() as connection:
        return set(connection.scalars(select(ProductionWord.word)))


def test_upgrade_prints_both_revisions(migrated_url: str, tfy_etl: Cli) -> None:
    engine = open_engine(migrated_url)
    schema.downgrade(engine, "-1")
    before = schema.current(engine)
    engine.dispose()
    url = ("--database-url", migrated_url)
    done = tfy_etl("db", "check", *url)
    assert (done.code, done.out) == (2, "")
    assert f"is at revision {before}, this release needs {schema.head()}: run tfy-etl db upgrade." in done.err
    assert tfy_etl("db", "upgrade", *url).out.startswith(f"Migrated from {before} to {schema.head()}: ")


def test_a_missing_database_has_no_revision_and_is_not_created(folder: Path, tfy_etl: Cli) -> None:
    assert tfy_etl("db", "current").out == "none\n"
    assert tfy_etl("db", "check").code == 2
    assert list(folder.iterdir()) == []


@pytest.fixture
def server(postgres_url: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with new_database(postgres_url) as url:
        yield url


@contextmanager
def running(*commands: list[str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start a process for each command, and kill those that still run at the end."""
    processes = [subprocess.Popen(each, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for each in commands]
    try:
        yield processes
    finally:
        for each in processes:
            each.kill()
            each.communicate()


@pytest.mark.timeout(300)
def test_two_concurrent_syncs_on_an_empty_server_create_the_tables_once(ready: Simulator, server: str) -> None:
    command = [COMMAND, "sync", "--output", "json", "--database-url", server, "--ml-repo"]
    with engine_scope(server) as engine, running([*command, "1"], [*command, "2"]) as runs:
        with engine.begin() as connection:
            # Both find an empty schema before either creates the tables.
            postgresql.DIALECT.lock_schema_exclusive(connection)
            wait_for_waiting_locks(server, 2)
        ended = [run.communicate(timeout=100) for run in runs]

        assert [run.returncode for run in runs] == [0, 0], ended
        assert [json.loads(out)["models"]["inserted"] for out, _ in ended] == [3, 3]
        assert sum("sync created or migrated the tables" in err for _, err in ended) == 1
        assert schema.current(engine) == schema.head()


def test_a_dry_run_on_an_empty_server_is_an_error_and_creates_nothing(
    ready: Simulator, server: str, tfy_etl: Cli
) -> None:
    done = tfy_etl("sync", "--dry-run", "--log-level", "error", "--database-url", server)

    assert (done.code, done.out) == (2, "")
    assert done.err == ("Error: The database has no tables of tfy-etl yet: a sync without --dry-run creates them.\n")
    with engine_scope(server) as engine:
        assert inspect(engine).get_table_names() == []


def test_check_says_that_sync_creates_the_tables_of_an_empty_database(
    ready: Simulator, database_url: str, tfy_etl: Cli
) -> None:
    done = tfy_etl("check", "--database-url", database_url)

    assert done.code == 0
    assert "ok schema sync creates it" in [" ".join(line.split()) for line in done.out.splitlines()]
