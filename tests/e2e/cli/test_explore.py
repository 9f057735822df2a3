import sys
from pathlib import Path

import httpx
import pytest

from etl.errors import missing_extra
from tests.e2e.cli.commands import COMMAND, execute
from tests.e2e.cli.conftest import Cli
from tests.e2e.explore.conftest import exploring
from tests.support.patience import patience


def test_a_postgresql_url_is_refused_with_an_alternative(tfy_etl: Cli) -> None:
    done = tfy_etl("explore", "--database-url", "postgresql://user:s3cret@db.example/registry")
    assert (done.code, done.out, done.err) == (
        2,
        "",
        "Error: tfy-etl explore shows a SQLite file: see docs/how-to/analysts/postgresql.md for PostgreSQL.\n",
    )


def test_a_missing_file_is_an_error_and_not_created(tfy_etl: Cli, folder: Path) -> None:
    done = tfy_etl("explore")
    assert (done.code, done.out, done.err) == (
        2,
        "",
        (
            "Error: tfy-registry.db does not exist: tfy-etl sync creates it, or change "
            "TFY_ETL_DATABASE_URL or --database-url.\n"
        ),
    )
    assert list(folder.iterdir()) == []


def test_a_file_without_tables_is_an_error_and_left_unchanged(tfy_etl: Cli, folder: Path) -> None:
    (folder / "tfy-registry.db").touch()
    done = tfy_etl("explore")
    assert (done.code, done.out) == (2, "")
    assert done.err == "Error: The database has no tables of tfy-etl yet: a sync without --dry-run creates them.\n"
    assert (folder / "tfy-registry.db").read_bytes() == b""


@pytest.mark.parametrize("missing", ["datasette", "uvicorn"])
def test_a_missing_extra_is_named(missing: str, migrated_file: Path, folder: Path) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; from etl.cli import main; main()"
    done = execute(sys.executable, "-c", script, "explore", "--database-url", f"sqlite:///{migrated_file}", cwd=folder)
    assert (done.code, done.out, done.err) == (
        2,
        "",
        f"Error: {missing_extra('tfy-etl explore', 'explore')}\n",
    )


def test_a_port_in_use_is_an_error(migrated_file: Path, folder: Path) -> None:
    database = f"sqlite:///{migrated_file}"
    with exploring(database) as (_, url):
        port = url.rpartition(":")[2].partition("/")[0]
        done = execute(COMMAND, "explore", "--port", port, "--database-url", database, cwd=folder)
    assert (done.code, done.out, done.err) == (
        2,
        "",
        f"Error: Cannot listen on port {port} (Address already in use): name another one with --port.\n",
    )


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_an_invalid_port_is_refused_in_one_line(port: str, tfy_etl: Cli) -> None:
    done = tfy_etl("explore", "--port", port)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)


def test_the_browser_opens_on_request(migrated_file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = folder / "opened"
    opener = folder / "browser.sh"
    opener.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    opener.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{opener} %s")
    for arguments, expected in ((["--no-open"], False), (["--open"], True)):
        with exploring(f"sqlite:///{migrated_file}", *arguments) as (_, url):
            assert (
                httpx.get(url, timeout=patience()).status_code == 200
            )  # the browser is opened before the server responds
        assert opened.exists() == expected
    assert opened.read_text() == f"{url}\n"
