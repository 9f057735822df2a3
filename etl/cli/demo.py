"""`tfy-etl demo`: two syncs over HTTP from a simulated control plane into SQLite, and their results."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from etl.cli.console import console, table
from etl.cli.progress import progress as shown_progress
from etl.cli.sanitize import sanitize
from etl.cli.sync import show
from etl.errors import ConfigError
from etl.settings import DEMO_FILE, Settings
from etl.simulator import ML_REPOS, MODELS, Registry, Simulator
from etl.store import open_readonly
from etl.store.queries.demo import changes_of, models_by_repo, tags_now
from etl.sync import Interrupts, Summary, run

_TOKEN = "demo-token"  # noqa: S105 it is no secret
_QUERY = "SELECT * FROM current_models LIMIT 5"
_MAX_LENGTH = 36


def run_demo(file: Path, *, progress: bool | None) -> None:
    """Sync, change the registry, sync again, and show the changes in the tables."""
    _make_room(file)
    out = console()
    registry = Registry.generate(seed=7, ml_repos=3, models=40, versions=5, metrics=6)
    with Simulator(registry, token=_TOKEN) as simulator:
        settings = Settings(
            host=simulator.url,
            api_key=_TOKEN,
            database_url=f"sqlite:///{file}",
            progress=progress,
        )
        out.print(f"A simulated control plane listens on {simulator.url}. First sync:\n")
        show(_sync(settings), out)
        with open_readonly(settings.database()) as connection:
            _show_repos(out, models_by_repo(connection))
        out.print("\nThe registry changes:", *(f"- {each}" for each in change(registry)), sep="\n")
        out.print("\nSecond sync:\n")
        summary = _sync(settings)
        show(summary, out)
        with open_readonly(settings.database()) as connection:
            _show_changes(out, changes_of(connection, str(summary.run_id), limit=30))
            _show_tags(out, tags_now(connection, "eu", limit=8))
    out.print(f"\nThe database is {sanitize(file)}. Query it:\n  sqlite3 -box {sanitize(file)} '{_QUERY}'")


def _make_room(file: Path) -> None:
    """Remove the database of an earlier demo, but no other file."""
    if not file.parent.is_dir():
        raise ConfigError(f"The folder {file.parent} does not exist: create it, or choose another --file.")
    if file.name != DEMO_FILE and file.exists():
        raise ConfigError(f"{file} already exists: choose another --file, or remove it.")
    try:
        for stale in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
            stale.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"Cannot replace {file} ({error.strerror}): run the demo in a folder that you can write to."
        ) from error


def _sync(settings: Settings) -> Summary:
    with Interrupts() as interrupts, shown_progress(settings.progress) as run_progress:
        return run(settings, interrupts=interrupts, progress=run_progress)


def change(registry: Registry) -> list[str]:
    """Change the simulated registry in several ways; return a line for each change."""
    first_repo = registry.ids(ML_REPOS)[0]
    models = [each for each in registry.records(MODELS) if each["latest_version"]]
    promoted, moved, edited, gone = models[1], models[2], models[3], models[-1]
    registry.add_version(promoted["id"])
    # updated_at stays as it is: only a comparison of content finds this change.
    registry.set_tags(moved["latest_version"]["id"], ["prod", "eu"], touch=False)
    registry.set_description(edited["latest_version"]["id"], "Retrained on last month's data.")
    registry.delete_model(gone["id"])
    fresh = registry.add_model(first_repo, "churn-by-region")
    registry.add_version(fresh)
    return [
        f"{promoted['name']} gets a new version",
        f"the latest version of {moved['name']} gets the tags prod and eu, without a change of updated_at",
        f"the latest version of {edited['name']} gets a new description",
        f"{gone['name']} is deleted",
        "churn-by-region is created",
    ]


def _show_repos(out: Console, rows: list[dict[str, Any]]) -> None:
    cells = ((row["ml_repo"], row["models"], row["versions"], f"{row['last updated']:%Y-%m-%d %H:%M}") for row in rows)
    _table(out, "Models by ML repo (view current_models)", ("ML repo", "models", "versions", "updated"), cells)


def _show_changes(out: Console, rows: list[dict[str, Any]]) -> None:
    # The other changed fields matter more than updated_at.
    relevant = [row for row in rows if row["field"] != "updated_at"]
    cells = ((row["kind"], row["what"].removeprefix("model:acme/"), _describe(row)) for row in relevant)
    _table(out, "Changes (table changes)", ("kind", "what", "change"), cells)


def _show_tags(out: Console, rows: list[dict[str, Any]]) -> None:
    cells = ((row["ml_repo"], row["model"], row["version"]) for row in rows)
    _table(out, "Versions with the tag eu (view tag_assignments)", ("ML repo", "model", "version"), cells)


def _describe(row: dict[str, Any]) -> str:
    """Describe the change of a field; empty for an inserted or deleted record."""
    if row["field"] is None:
        return ""
    old, new = (_short(sanitize(row[end])) for end in ("from", "to"))
    return f"{row['field']}: {old} → {new}" if old and new else f"{row['field']}: {new or old}"


def _short(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


def _table(out: Console, title: str, headings: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    out.print(f"\n{title}", style="bold")
    drawn = table()
    for heading in headings[:-1]:
        drawn.add_column(heading, no_wrap=True)
    drawn.add_column(headings[-1], overflow="fold")
    for row in rows:
        drawn.add_row(*map(sanitize, row))
    out.print(drawn)
