"""Commands do not import slow libraries that they do not need."""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from etl.simulator import Simulator
from tests.e2e.cli.commands import COMMAND, execute

PACKAGES = {
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
HTTP_MODULES = {"etl.source", "httpx", "httpcore", "stamina"}
DATABASE_MODULES = {"etl.store", "etl.models", "sqlalchemy", "filelock"}
POSTGRESQL_MODULES = {"etl.store.dialects.postgresql", "psycopg", "sqlalchemy.dialects.postgresql"}
MIGRATION_MODULES = {"alembic", "mako"}
TEMPLATE_MODULES = {"jinja2"}
TERMINAL_MODULES = {"rich", "pygments"}
TELEMETRY_MODULES = {
    "prometheus_client",
    "opentelemetry",
    "etl.telemetry.metrics_file",
    "etl.telemetry.otlp",
    "etl.telemetry.webhook",
}
FILE_FORMAT_MODULES = {"duckdb", "pyarrow"}
EXPLORE_MODULES = {"etl.explore", "datasette", "uvicorn", "jinja2"}
OPTIONAL_MODULES = (
    PACKAGES
    | HTTP_MODULES
    | DATABASE_MODULES
    | POSTGRESQL_MODULES
    | MIGRATION_MODULES
    | TEMPLATE_MODULES
    | TERMINAL_MODULES
    | TELEMETRY_MODULES
    | FILE_FORMAT_MODULES
    | EXPLORE_MODULES
    | {"packaging"}
)


class TracedCommand(NamedTuple):
    """The exit code, the output and the imported modules of a command."""

    code: int
    out: str
    err: str
    imported: set[str]


def run_traced(*arguments: str, folder: Path, **env: str) -> TracedCommand:
    """Run `tfy-etl` in a new interpreter, and return its imports too."""
    done = execute(sys.executable, "-X", "importtime", "-m", "etl", *arguments, cwd=folder, env=env)
    error_lines, imported = list[str](), set[str]()
    for line in done.err.splitlines(keepends=True):
        if line.startswith("import time:"):
            imported.add(line.rpartition("|")[2].strip())
        else:
            error_lines.append(line)
    assert "etl.cli.main" in imported
    return TracedCommand(done.code, done.out, "".join(error_lines), imported)


@pytest.fixture
def database(migrated_file: Path, ready: Simulator, folder: Path) -> str:
    """The URL of a SQLite file after a run; the control plane is still running."""
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
    done = run_traced(*arguments.split(), folder=folder, TFY_ETL_DATABASE_URL="postgresql://user:s3cret@host/db")
    assert done.code == code
    assert done.imported & OPTIONAL_MODULES == set()


def test_a_password_is_redacted_without_a_database_library(folder: Path) -> None:
    done = run_traced("s3cret", folder=folder, TFY_ETL_DATABASE_URL="postgresql://user:s3cret@host/db")
    assert (done.code, done.err) == (2, "Error: No such command '***'. See tfy-etl --help.\n")
    assert done.imported & DATABASE_MODULES == set()


def test_only_the_help_of_simulate_imports_the_simulator(folder: Path) -> None:
    done = run_traced("simulate", "--help", folder=folder)
    assert "Faults: " in done.out
    assert "flaky_500" in done.out.partition("Faults: ")[2]
    assert done.imported & OPTIONAL_MODULES == {"etl.simulator"}


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize("command", ["status", "changes"])
def test_status_and_changes_import_only_database_libraries(
    command: str, output: str, database: str, folder: Path
) -> None:
    done = run_traced(command, "--output", output, "--database-url", database, folder=folder)
    assert (done.code, done.err) == (0, "")
    assert "sqlalchemy" in done.imported
    assert done.imported & OPTIONAL_MODULES <= DATABASE_MODULES | ({"rich"} if output == "text" else set())


def test_status_without_a_database_imports_only_database_libraries(folder: Path) -> None:
    done = run_traced("status", folder=folder)
    assert done.code == 2
    assert "tfy-registry.db does not exist" in done.err
    assert done.imported & OPTIONAL_MODULES <= DATABASE_MODULES


def test_a_run_with_a_current_schema_imports_no_migrations(database: str, folder: Path) -> None:
    done = run_traced("sync", "--database-url", database, folder=folder)
    assert done.code == 0
    assert done.imported >= HTTP_MODULES | DATABASE_MODULES | {"etl.sync", "etl.records"}
    unneeded = MIGRATION_MODULES | POSTGRESQL_MODULES | TELEMETRY_MODULES | TEMPLATE_MODULES | {"etl.simulator"}
    assert done.imported & unneeded == set()


def test_telemetry_is_imported_only_if_configured(database: str, folder: Path) -> None:
    done = run_traced("sync", "--database-url", database, "--metrics-file", "tfy-etl.prom", folder=folder)
    assert done.code == 0
    assert done.imported & TELEMETRY_MODULES == {"prometheus_client", "etl.telemetry.metrics_file"}


def test_a_report_imports_no_http_library(database: str, folder: Path) -> None:
    done = run_traced("report", "--out", "report.html", "--database-url", database, folder=folder)
    assert done.code == 0
    assert done.imported & OPTIONAL_MODULES <= DATABASE_MODULES | TEMPLATE_MODULES | {"etl.report"}
    assert done.imported >= TEMPLATE_MODULES


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_text_export_imports_no_file_format_library(format: str, database: str, folder: Path) -> None:
    done = run_traced("export", "--format", format, "out", "--database-url", database, folder=folder)
    assert (done.code, done.err) == (0, "")
    assert done.imported & OPTIONAL_MODULES <= DATABASE_MODULES | {"etl.export"}


def test_a_parquet_export_does_not_import_duckdb(database: str, folder: Path) -> None:
    done = run_traced("export", "out", "--database-url", database, folder=folder)
    assert (done.code, done.err) == (0, "")
    assert done.imported & FILE_FORMAT_MODULES == {"pyarrow"}


def test_check_imports_neither_migrations_nor_the_sync(database: str, folder: Path) -> None:
    done = run_traced("check", "--database-url", database, folder=folder)
    assert done.code == 0
    unneeded = MIGRATION_MODULES | POSTGRESQL_MODULES | {"etl.sync", "etl.records", "etl.simulator"}
    assert done.imported & unneeded == set()


def test_explore_imports_neither_migrations_nor_the_sync(folder: Path) -> None:
    done = run_traced("explore", "--database-url", "postgresql://user:s3cret@host/db", folder=folder)
    assert done.code == 2
    assert done.imported & OPTIONAL_MODULES <= DATABASE_MODULES


def test_db_upgrade_imports_alembic(folder: Path) -> None:
    done = run_traced("db", "upgrade", folder=folder)
    assert done.code == 0
    assert done.imported >= MIGRATION_MODULES


def test_schema_imports_no_driver_no_http_and_no_migrations(folder: Path) -> None:
    done = run_traced("schema", "--format", "json", folder=folder)
    assert done.code == 0
    assert done.imported >= {"sqlalchemy", "etl.schema_docs"}
    unneeded = HTTP_MODULES | MIGRATION_MODULES | TELEMETRY_MODULES
    unneeded |= {"psycopg", "etl.sync", "etl.records", "etl.simulator"}
    assert done.imported & unneeded == set()


@pytest.mark.parametrize(("missing", "command"), [("sqlalchemy", "status"), ("httpx", "sync"), ("rich.table", "sync")])
def test_a_missing_library_fails_only_commands_that_need_it(missing: str, command: str, folder: Path) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; from etl.cli import main; main()"
    done = execute(sys.executable, "-c", script, command, cwd=folder)
    assert done.code == 1
    assert "Traceback" in done.err
    assert f"import of {missing} halted" in done.err
    assert execute(sys.executable, "-c", script, "--help", cwd=folder).code == 0


def test_imported_modules_are_frozen_and_other_garbage_is_collected(folder: Path) -> None:
    script = (
        "import gc, sys; from etl.cli import main\n"
        "def run(*arguments):\n"
        "    sys.argv = ['tfy-etl', *arguments]\n"
        "    try: main()\n"
        "    except SystemExit: return gc.get_freeze_count()\n"
        "print(run('no-such'), gc.isenabled(), (frozen := run('status')), gc.isenabled())\n"
        "garbage = [[] for _ in range(100_000)]\n"
        "print(run('status') <= frozen)"
    )
    done = execute(sys.executable, "-c", script, cwd=folder)
    first_count, first_enabled, second_count, second_enabled, is_stable = done.out.split()
    assert (first_count, first_enabled, second_enabled, is_stable) == ("0", "True", "True", "True")
    assert int(second_count) > 10_000
