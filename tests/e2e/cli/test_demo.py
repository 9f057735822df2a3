import io
import sqlite3
from pathlib import Path

import pytest
from rich.console import Console

from etl.cli import demo as module
from etl.store import open_readonly, runs
from etl.store.queries.demo import changes_of, models_by_repo, tags_now
from tests.e2e.cli.conftest import Cli


def test_the_demo_prints_its_steps_and_leaves_a_database(folder: Path, tfy_etl: Cli) -> None:
    done = tfy_etl("demo")
    assert (done.code, done.err) == (0, "")
    for said in (
        "First sync:",
        "Up to date: 40 models, ",
        "Models by ML repo (view current_models)",
        "churn-by-region is created",
        "Second sync:",
        "versions were read again: ",
        "tags: candidate",
        "description: Trained on week 5. → Retrained on",
        "Versions with the tag eu",
        "sqlite3 -box tfy-etl-demo.db 'SELECT * FROM current_models LIMIT 5'",
    ):
        assert said in done.out
    with sqlite3.connect("tfy-etl-demo.db") as database:
        assert database.execute("SELECT count(*) FROM current_models").fetchone() == (40,)
    database.close()


def test_the_demo_runs_twice_in_the_same_folder(tfy_etl: Cli) -> None:
    assert tfy_etl("demo").code == 0
    again = tfy_etl("demo", "--log-level", "info")
    assert again.code == 0
    assert "[info]" in again.err


def test_another_file_is_made_but_never_replaced(folder: Path, tfy_etl: Cli) -> None:
    (folder / "mine.db").write_text("precious")
    done = tfy_etl("demo", "--file", "mine.db")
    assert (done.code, done.err) == (2, "Error: mine.db already exists: choose another --file, or remove it.\n")
    assert (folder / "mine.db").read_text() == "precious"
    assert tfy_etl("demo", "--file", "fresh.db").code == 0


def test_a_folder_at_the_path_of_the_database_is_an_error(folder: Path, tfy_etl: Cli) -> None:
    (folder / "tfy-etl-demo.db").mkdir()
    done = tfy_etl("demo", "--file", f"{folder}/none/../tfy-etl-demo.db-wal")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    (folder / "tfy-etl-demo.db-wal").mkdir()
    (folder / "tfy-etl-demo.db").rmdir()
    done = tfy_etl("demo")
    assert done.code == 2
    assert "Cannot replace tfy-etl-demo.db" in done.err


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
def test_tables_are_readable_at_any_usual_width(width: int, tfy_etl: Cli) -> None:
    tfy_etl("demo")
    file = io.StringIO()
    out = Console(file=file, width=width, markup=False, emoji=False, highlight=False)
    with open_readonly("sqlite:///tfy-etl-demo.db") as connection:
        last = runs.latest(connection, 1)[0]["id"]
        module._show_repos(out, models_by_repo(connection))
        module._show_changes(out, changes_of(connection, last, limit=30))
        module._show_tags(out, tags_now(connection, "eu", limit=8))
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for whole in (
        "tag_removed",
        "search-and-ads/loyalty-scorer:5",
        "search-and-ads/sentiment-recommender:5",
        "ML repo",
    ):
        assert whole in text


def test_text_from_the_registry_is_sanitized() -> None:
    file = io.StringIO()
    out = Console(file=file, width=80, markup=False, emoji=False, highlight=False)
    evil = "[red]\x1b[31m\u202e:smile:\r"
    module._show_changes(out, [{"what": evil, "kind": "updated", "field": "name", "from": evil, "to": "b" * 90}])
    module._show_tags(out, [{"ml_repo": evil, "model": evil, "version": 1}])
    assert "[red]" in file.getvalue()
    assert ":smile:" in file.getvalue()
    assert all(line.isprintable() for line in file.getvalue().splitlines())
