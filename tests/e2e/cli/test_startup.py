"""Commands do not import slow libraries that they do not need."""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from etl.simulator import Simulator
from tests.e2e.cli.commands import COMMAND, execute

ROOMS = {
    "etl.schema_docs",
    "etl.export",
    "etl.models",
    "etl.records",
    "etl.report",
    "etl.simulator",
    "etl.source",
    "etl.store",
    "etl.sync",
}
HTTP = {"etl.source", "httpx", "httpcore", "stamina"}
DATABASES = {"etl.store", "etl.models", "sqlalchemy", "filelock"}
POSTGRESQL = {"etl.store.dialects.postgresql", "psycopg", "sqlalchemy.dialects.postgresql"}
MIGRATIONS = {"alembic", "mako"}
PAGES = {"jinja2"}
DRAWING = {"rich", "pygments"}
WATCHING = {
    "prometheus_client",
    "opentelemetry",
    "etl.telemetry.metrics_file",
    "etl.telemetry.otlp",
    "etl.telemetry.webhook",
}
FILES = {"duckdb", "pyarrow"}
EXPLORING = {"etl.explore", "datasette", "uvicorn", "jinja2"}
EVERYTHING = (
    EXPLORING | PAGES | FILES | WATCHING | ROOMS | HTTP | DATABASES | POSTGRESQL | MIGRATIONS | DRAWING | {"packaging"}
)


class Started(NamedTuple):
    """The exit code, the output and the imported modules of a command."""

    code: int
    out: str
    err: str
    imported: set[str]


def start(*arguments: str, folder: Path, **env: str) -> Started:
    """Run `tfy-etl` in a process of its own that lists its imports."""
    done = execute(sys.executable, "-X", "importtime", "-m", "etl", *arguments, cwd=folder, env=env)
    said, imported = list[str](), set[str]()
    for line in done.err.splitlines(keepends=True):
        if line.startswith("import time:"):
            imported.add(line.rpartition("|")[2].strip())
        else:
            said.append(line)
    assert "etl.cli.main" in imported
    return Started(done.code, done.out, "".join(said), imported)


@pytest.fixture
def database(migrated_file: Path, ready: Simulator, folder: Path) -> str:
    """The URL of a SQLite file after a run; the control plane still listens."""
    url = f"sqlite:///{shutil.copy(migrated_file, folder / 'registry.db')}"
    assert execute(COMMAND, "sync", "--database-url", url, cwd=folder).code == 0
    return url


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--help", 0),
        ("--version", 0),
        ("", 2),
        ("sync --help", 0),
        ("status --help", 0),
        ("rejected retry --help", 0),
        ("export --help", 0),
        ("export --format xlsx out", 2),
        ("db --help", 0),
        ("synk", 2),
        ("--host x", 2),
        ("--no-such-option", 2),
        ("--timeout 0 status", 2),
        ("--config no-such.toml status", 2),
        ("sync --page-size ten", 2),
        ("sync --page-size 0", 2),
        ("rejected retry --lock-wait nan", 2),
        ("status --max-age soon", 2),
        ("changes --since soon", 2),
    ],
)
def test_help_and_usage_errors_import_no_http_or_database_library(arguments: str, code: int, folder: Path) -> None:
    done = start(*arguments.split(), folder=folder, TFY_ETL_DATABASE_URL="postgresql://user:s3cret@host/db")
    assert done.code == code
    assert done.imported & EVERYTHING == set()


def test_a_password_is_redacted_without_a_database_library(folder: Path) -> None:
    done = start("s3cret", folder=folder, TFY_ETL_DATABASE_URL="postgresql://user:s3cret@host/db")
    assert (done.code, done.err) == (2, "Error: No such command '***'. See tfy-etl --help.\n")
    assert done.imported & DATABASES == set()


def test_only_the_help_of_simulate_imports_the_simulator(folder: Path) -> None:
    done = start("simulate", "--help", folder=folder)
    assert "Faults: " in done.out
    assert "flaky_500" in done.out.partition("Faults: ")[2]
    assert done.imported & EVERYTHING == {"etl.simulator"}


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize("command", ["status", "changes"])
def test_commands_that_read_import_database_libraries_only(
    command: str, output: str, database: str, folder: Path
) -> None:
    done = start(command, "--output", output, "--database-url", database, folder=folder)
    assert (done.code, done.err) == (0, "")
    assert "sqlalchemy" in done.imported
    assert done.imported & EVERYTHING <= DATABASES | ({"rich"} if output == "text" else set())


def test_status_without_a_database_imports_no_more(folder: Path) -> None:
    done = start("status", folder=folder)
    assert done.code == 2
    assert "tfy-registry.db does not exist" in done.err
    assert done.imported & EVERYTHING <= DATABASES


def test_a_run_with_a_current_schema_imports_no_migrations(database: str, folder: Path) -> None:
    done = start("sync", "--database-url", database, folder=folder)
    assert done.code == 0
    assert done.imported >= HTTP | DATABASES | {"etl.sync", "etl.records"}
    assert done.imported & (MIGRATIONS | POSTGRESQL | WATCHING | PAGES | {"etl.simulator"}) == set()


def test_telemetry_is_imported_only_if_configured(database: str, folder: Path) -> None:
    done = start("sync", "--database-url", database, "--metrics-file", "tfy-etl.prom", folder=folder)
    assert done.code == 0
    assert done.imported & WATCHING == {"prometheus_client", "etl.telemetry.metrics_file"}


def test_a_report_imports_no_http_library(database: str, folder: Path) -> None:
    done = start("report", "--out", "report.html", "--database-url", database, folder=folder)
    assert done.code == 0
    assert done.imported & EVERYTHING <= DATABASES | PAGES | {"etl.report"}
    assert done.imported >= PAGES


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_text_export_imports_no_file_format_library(format: str, database: str, folder: Path) -> None:
    done = start("export", "--format", format, "out", "--database-url", database, folder=folder)
    assert (done.code, done.err) == (0, "")
    assert done.imported & EVERYTHING <= DATABASES | {"etl.export"}


def test_a_parquet_export_does_not_import_duckdb(database: str, folder: Path) -> None:
    done = start("export", "out", "--database-url", database, folder=folder)
    assert (done.code, done.err) == (0, "")
    assert done.imported & FILES == {"pyarrow"}


def test_a_check_imports_neither_migrations_nor_what_only_a_run_needs(database: str, folder: Path) -> None:
    done = start("check", "--database-url", database, folder=folder)
    assert done.code == 0
    assert done.imported & (MIGRATIONS | POSTGRESQL | {"etl.sync", "etl.records", "etl.simulator"}) == set()


def test_explore_imports_neither_migrations_nor_the_sync(folder: Path) -> None:
    done = start("explore", "--database-url", "postgresql://user:s3cret@host/db", folder=folder)
    assert done.code == 2
    assert done.imported & EVERYTHING <= DATABASES


def test_a_migration_imports_alembic(folder: Path) -> None:
    done = start("db", "upgrade", folder=folder)
    assert done.code == 0
    assert done.imported >= MIGRATIONS


def test_schema_imports_no_driver_no_http_and_no_migrations(folder: Path) -> None:
    done = start("schema", "--format", "json", folder=folder)
    assert done.code == 0
    assert done.imported >= {"sqlalchemy", "etl.schema_docs"}
    assert (
        done.imported & (HTTP | MIGRATIONS | WATCHING | {"psycopg", "etl.sync", "etl.records", "etl.simulator"})
        == set()
    )


@pytest.mark.parametrize(("missing", "command"), [("sqlalchemy", "status"), ("httpx", "sync"), ("rich.table", "sync")])
def test_a_library_that_cannot_be_imported_is_named_when_it_is_needed(missing: str, command: str, folder: Path) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; from etl.cli import main; main()"
    done = execute(sys.executable, "-c", script, command, cwd=folder)
    assert done.code == 1
    assert "Traceback" in done.err
    assert f"import of {missing} halted" in done.err
    assert execute(sys.executable, "-c", script, "--help", cwd=folder).code == 0


def test_imported_modules_are_frozen_and_other_garbage_is_collected(folder: Path) -> None:
    script = (
        "import gc, sys; from etl.cli import main\n"
        "def kept(*arguments):\n"
        "    sys.argv = ['tfy-etl', *arguments]\n"
        "    try: main()\n"
        "    except SystemExit: return gc.get_freeze_count()\n"
        "print(kept('no-such'), gc.isenabled(), (first := kept('status')), gc.isenabled())\n"
        "garbage = [[] for _ in range(100_000)]\n"
        "print(kept('status') <= first)"
    )
    done = execute(sys.executable, "-c", script, cwd=folder)
    before, still, kept, goes_on, none_more = done.out.split()
    assert (before, still, goes_on, none_more) == ("0", "True", "True", "True")
    assert int(kept) > 10_000
