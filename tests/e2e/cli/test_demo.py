import io
import sqlite3
import sys
from pathlib import Path

import pytest
from rich.console import Console

from etl.cli import demo as module
from etl.errors import missing_extra
from etl.store import open_readonly, queries
from tests.e2e.cli.commands import execute
from tests.e2e.cli.conftest import Cli

SENTENCES = [
    "basket-recommender: created, with 1 version",
    "churn-predictor v6: created",
    "demand-forecast v5: metric mape changed from 0.118 to 0.104",
    "fraud-scorer v4: tag production removed",
    "fraud-scorer v5: tag candidate removed",
    "fraud-scorer v5: tag production added",
    "legacy-rules: deleted, with 3 versions",
    "product-ranker v5: description changed",
]


def test_the_demo_announces_each_change_and_then_prints_its_sentence(folder: Path, tfy_etl: Cli) -> None:
    done = tfy_etl("demo")
    assert (done.code, done.err) == (0, "")
    announced = done.out.partition("A day passes")[2].partition("\n\n")[0]
    shown = done.out.partition("as tfy-etl changes shows it\n")[2].partition("\n\n")[0]
    assert [line.strip() for line in shown.splitlines()] == SENTENCES
    assert {sentence.partition(":")[0].split()[0] for sentence in SENTENCES} == {
        name for name in announced.split() if "-" in name[1:]
    }
    with sqlite3.connect("tfy-etl-demo.db") as database:
        assert database.execute("SELECT count(*) FROM current_models").fetchone() == (23,)
    database.close()


def test_the_demo_shows_no_ids_and_no_wide_lines(tfy_etl: Cli) -> None:
    lines = tfy_etl("demo").out.splitlines()
    assert max(map(len, lines)) <= 100
    with open_readonly("sqlite:///tfy-etl-demo.db") as connection, connection.begin():
        ids = {each.id for each in queries.changes.recorded(connection, queries.changes.ChangeFilter(), every=True)}
    assert [line for line in lines if any(each in line for each in ids if not each.isdecimal())] == []


def test_the_demo_writes_the_report_and_names_commands_that_work(folder: Path, tfy_etl: Cli) -> None:
    done = tfy_etl("demo")
    assert "Wrote tfy-etl-demo.html, " in done.out
    assert "fraud-scorer" in (folder / "tfy-etl-demo.html").read_text(encoding="utf-8")
    commands = [line.split() for line in done.out.partition("Try next")[2].splitlines() if "tfy-etl " in line]
    assert [command[1] for command in commands] == ["changes", "status", "check"]
    history, status = (tfy_etl(*command[1:]) for command in commands[:2])
    assert "  fraud-scorer v5: tag production added\n" in history.out
    assert (history.code, status.code) == (0, 0)


def test_without_the_report_libraries_the_demo_names_the_extra(folder: Path) -> None:
    script = "import sys; sys.modules['jinja2'] = None; from etl.cli import main; main()"
    done = execute(sys.executable, "-c", script, "demo", cwd=folder)
    assert (done.code, done.err) == (0, "")
    assert f"Not written. {missing_extra('tfy-etl report', 'report')}" in " ".join(done.out.split())
    assert not (folder / "tfy-etl-demo.html").exists()


def test_the_demo_runs_twice_in_the_same_folder(tfy_etl: Cli) -> None:
    assert tfy_etl("demo").code == 0
    again = tfy_etl("demo", "--log-level", "info")
    assert again.code == 0
    assert "[info]" in again.err


def test_the_demo_creates_named_files_and_never_replaces_existing_ones(folder: Path, tfy_etl: Cli) -> None:
    for mine, file in (("mine.db", "mine.db"), ("page.html", "page.db")):
        (folder / mine).write_text("precious")
        done = tfy_etl("demo", "--file", file)
        assert (done.code, done.err) == (2, f"Error: {mine} already exists: choose another --file, or remove it.\n")
        assert (folder / mine).read_text() == "precious"
    assert tfy_etl("demo", "--file", "fresh.db").code == 0
    assert (folder / "fresh.html").exists()


@pytest.mark.parametrize("name", ["x.html", "x.HTML"])
def test_a_file_that_the_report_would_replace_is_refused(name: str, folder: Path, tfy_etl: Cli) -> None:
    done = tfy_etl("demo", "--file", name)
    reason = f"Error: The report would replace {name}: choose a --file that does not end in .html.\n"
    assert (done.code, done.out, done.err) == (2, "", reason)
    assert list(folder.iterdir()) == []


def test_a_folder_at_the_path_of_the_database_is_an_error(folder: Path, tfy_etl: Cli) -> None:
    (folder / "tfy-etl-demo.db").mkdir()
    done = tfy_etl("demo", "--file", f"{folder}/none/../tfy-etl-demo.db-wal")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    (folder / "tfy-etl-demo.db-wal").mkdir()
    (folder / "tfy-etl-demo.db").rmdir()
    done = tfy_etl("demo")
    assert done.code == 2
    assert "Cannot replace tfy-etl-demo.db-wal" in done.err


def test_the_demo_ignores_the_settings_of_the_user(tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("TFY_HOST", "https://elsewhere.example"),
        ("TFY_API_KEY", "another"),
        ("TFY_ETL_DATABASE_URL", "postgresql://elsewhere.example/db"),
        ("TFY_ETL_CA_BUNDLE", "/nowhere.pem"),
        ("TFY_ETL_API_PREFIX", "/elsewhere"),
    ):
        monkeypatch.setenv(name, value)
    assert tfy_etl("demo").code == 0


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_width_of_the_terminal_without_truncation(width: int, tfy_etl: Cli) -> None:
    tfy_etl("demo")
    file = io.StringIO()
    out = Console(file=file, width=width, markup=False, emoji=False, highlight=False)
    with open_readonly("sqlite:///tfy-etl-demo.db") as connection:
        module._show_repos(out, queries.demo.models_by_repo(connection))
        module._show_production(out, queries.demo.in_production(connection, "risk"))
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for word in ("operations", "claims-triage", "ML repo"):
        assert word in text


def test_text_from_the_registry_is_sanitized() -> None:
    file = io.StringIO()
    out = Console(file=file, width=80, markup=False, emoji=False, highlight=False)
    evil = "[red]\x1b[31m\u202e:smile:\r"
    module._show_production(out, [{"model": evil, "version": 1, "created_by": evil}])
    assert "[red]" in file.getvalue()
    assert ":smile:" in file.getvalue()
    assert all(line.isprintable() for line in file.getvalue().splitlines())
