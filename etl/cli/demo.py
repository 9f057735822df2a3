"""`tfy-etl demo`: two syncs from a simulated control plane, what changed between them, and a report."""

import shutil
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from etl.changes import sentence
from etl.cli.console import console, table
from etl.cli.progress import progress as shown_progress
from etl.cli.report import write_report
from etl.cli.sanitize import sanitize
from etl.cli.sync import print_run_result
from etl.errors import ConfigError, ExtraMissing
from etl.settings import DEMO_FILE, Settings
from etl.simulator import Showcase, Simulator
from etl.store import open_readonly, queries
from etl.store.queries.changes import ChangeFilter
from etl.sync import Interrupts, Summary, run

_TOKEN = "demo-token"  # noqa: S105 it is no secret
_TEAM = "risk"


def run_demo(file: Path, *, progress: bool | None) -> None:
    """Sync a simulated registry, change it, sync it again, show the changes, and write the report."""
    page = file.with_suffix(".html")
    _make_room(file, page)
    out = console()
    showcase = Showcase()
    with Simulator(showcase.registry, token=_TOKEN) as simulator:
        settings = Settings(host=simulator.url, api_key=_TOKEN, database_url=f"sqlite:///{file}", progress=progress)
        out.print("A simulated control plane runs on this machine. Its registry is now copied into SQLite.")
        _title(out, "First sync: it reads everything")
        print_run_result(_sync(settings), out)
        with open_readonly(settings.database()) as connection:
            _show_repos(out, queries.demo.models_by_repo(connection))
        _title(out, "A day passes, and the registry changes")
        out.print(*(f"- {each}" for each in showcase.simulate_day()), sep="\n")
        _title(out, "Second sync: it finds what has changed")
        summary = _sync(settings)
        print_run_result(summary, out)
    _show_changes(out, settings, str(summary.run_id))
    _write_report(out, settings, page)
    _show_next_steps(out, settings)


def _make_room(file: Path, page: Path) -> None:
    """Remove the files of an earlier demo, but no other file."""
    if file.suffix.lower() == page.suffix:
        raise ConfigError(f"The report would replace {file}: choose a --file that does not end in .html.")
    if not file.parent.is_dir():
        raise ConfigError(f"The folder {file.parent} does not exist: create it, or choose another --file.")
    for each in (file, page):
        if file.name != DEMO_FILE and each.exists():
            raise ConfigError(f"{each} already exists: choose another --file, or remove it.")
    try:
        for stale in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm")), page):
            stale.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"Cannot replace {error.filename} ({error.strerror}): run the demo in a folder that you can write to."
        ) from error


def _sync(settings: Settings) -> Summary:
    with Interrupts() as interrupts, shown_progress(settings.progress) as run_progress:
        return run(settings, interrupts=interrupts, progress=run_progress)


def _show_repos(out: Console, rows: list[dict[str, Any]]) -> None:
    cells = ((row["ml_repo"], row["models"], row["versions"], f"{row['last updated']:%Y-%m-%d %H:%M}") for row in rows)
    _table(out, "Models by ML repo (view current_models)", ("ML repo", "models", "versions", "updated"), cells)


def _show_changes(out: Console, settings: Settings, run_id: str) -> None:
    """Show the changes that the run recorded, and a view that they changed."""
    with open_readonly(settings.database()) as connection:
        with connection.begin():
            changes = list(queries.changes.recorded(connection, ChangeFilter(run_id=run_id)))
        production = queries.demo.in_production(connection, _TEAM)
    _title(out, "What changed, as tfy-etl changes shows it")
    for each in changes:
        out.print(f"  {sentence(each, sanitize)}", soft_wrap=True)
    _show_production(out, production)


def _show_production(out: Console, rows: list[dict[str, Any]]) -> None:
    cells = ((row["model"], row["version"], row["created_by"]) for row in rows)
    title = f"What ML repo {_TEAM} has in production (view production_versions)"
    _table(out, title, ("model", "version", "created by"), cells)


def _write_report(out: Console, settings: Settings, page: Path) -> None:
    _title(out, "The report")
    try:
        line = write_report(settings, page, stale_after=timedelta(days=180), max_age=timedelta(days=1))
    except ExtraMissing as error:
        line = f"Not written. {error}"
    out.print(line, soft_wrap=True)


def _show_next_steps(out: Console, settings: Settings) -> None:
    _title(out, "Try next")
    command = _command()
    for arguments, purpose in (
        (f"changes --model fraud-scorer --database-url {sanitize(settings.database())}", "one model's history"),
        (f"status --database-url {sanitize(settings.database())}", "the runs, and how old the copy is"),
        ("check", "your own registry: set TFY_HOST and TFY_API_KEY first"),
    ):
        out.print(f"  {command} {arguments}", soft_wrap=True)
        out.print(f"    {purpose}", style="dim")


def _command() -> str:
    """Return what the user types to run this program."""
    called = sys.argv[0]
    if called == shutil.which("tfy-etl"):
        return "tfy-etl"
    return "python3 -m etl" if Path(called).name == "__main__.py" else called


def _title(out: Console, text: str) -> None:
    out.print(f"\n{text}", style="bold")


def _table(out: Console, title: str, headings: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    _title(out, title)
    drawn = table()
    for heading in headings[:-1]:
        drawn.add_column(heading, no_wrap=True)
    drawn.add_column(headings[-1], overflow="fold")
    for row in rows:
        drawn.add_row(*map(sanitize, row))
    out.print(drawn)
