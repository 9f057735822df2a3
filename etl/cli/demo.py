"""`tfy-etl demo`: a simulated control plane, two real syncs over HTTP into SQLite, and a look at what came."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from etl.cli.options import settings_of
from etl.cli.progress import progress
from etl.cli.shown import shown
from etl.cli.sync import show
from etl.simulator import ML_REPOS, MODELS, Registry, Simulator
from etl.store import reading
from etl.store.looks import changes_of, models_by_repo, tags_now
from etl.sync import Interrupts, Summary, run

FILE = "tfy-etl-demo.db"


@click.command()
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), default=FILE, show_default=True,
              help="SQLite file to make; one that is there is replaced.")  # fmt: skip
@click.pass_context
def demo(ctx: click.Context, file: Path) -> None:
    """Sync a simulated registry into SQLite, change it, sync again, and show what came.

    No account is needed, and no network beyond this machine.
    """
    console = Console(file=sys.stdout, highlight=False)
    for stale in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
        stale.unlink(missing_ok=True)
    registry = Registry.generate(seed=7, ml_repos=3, models=40, versions=5, metrics=6)
    with Simulator(registry, token="demo-token") as simulator, Interrupts() as interrupts:  # noqa: S106 it opens nothing
        settings = replace(
            settings_of(ctx), host=simulator.url, api_key="demo-token", api_key_file=None, api_prefix=None,
            database_url=f"sqlite:///{file}",
        )  # fmt: skip
        console.print(f"A simulated control plane listens at {simulator.url}. First sync:\n", markup=False)

        def sync() -> Summary:
            with progress(settings.progress) as told:
                return run(settings, interrupts=interrupts, progress=told)

        show(sync(), console)
        with reading(settings.database_url) as connection:
            _table(console, "Models by ML repo (view current_models)", models_by_repo(connection))
        told = change(registry)
        console.print("\nNow the registry changes:", *(f"- {each}" for each in told), sep="\n", markup=False)
        console.print("\nSecond sync:\n")
        summary = sync()
        show(summary, console)
        with reading(settings.database_url) as connection:
            _table(
                console, "What changed (table changes)", changes_of(connection, str(summary.run_id), limit=15)
            )
            _table(
                console,
                "Who carries production (view tag_assignments)",
                tags_now(connection, "prod", limit=8),
            )
    console.print(
        f"\nThe database is {file}. Look around: sqlite3 {file} 'SELECT * FROM current_models LIMIT 5'",
        markup=False,
        soft_wrap=True,
    )


def change(registry: Registry) -> list[str]:
    """Change the simulated registry in a few telling ways; what was done, a line each."""
    first_repo = registry.ids(ML_REPOS)[0]
    models = [each for each in registry.records(MODELS) if each["latest_version"]]
    promoted, moved, edited, gone = models[1], models[2], models[3], models[-1]
    registry.add_version(promoted["id"])
    # No updated_at moves here: only the content tells.
    registry.set_tags(moved["latest_version"]["id"], ["prod", "eu"], touch=False)
    registry.set_description(edited["latest_version"]["id"], "Retrained on last month's data.")
    registry.delete_model(gone["id"])
    fresh = registry.add_model(first_repo, "churn-by-region")
    registry.add_version(fresh)
    return [
        f"{promoted['name']} gets a new version",
        f"the latest version of {moved['name']} is tagged prod and eu, and no updated_at moves",
        f"the latest version of {edited['name']} is described anew",
        f"{gone['name']} is deleted",
        "churn-by-region is created",
    ]


def _table(console: Console, title: str, rows: list[dict[str, Any]]) -> None:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="ellipsis", no_wrap=True, max_width=40)
    for row in rows:
        table.add_row(*(shown(value).replace("[", r"\[") for value in row.values()))
    console.print(table)
