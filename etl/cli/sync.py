"""`tfy-etl sync`: the main job."""

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from etl.cli.options import add_options, settings_of
from etl.cli.progress import progress
from etl.cli.shown import shown
from etl.sync import Interrupts, Summary, run


@add_options("sync")
@click.command(
    epilog="A first run reads everything; later ones read all models, and the versions of those that look changed. "
    "Everything becomes visible in one commit, or nothing does."
)
@click.pass_context
def sync(ctx: click.Context, /, **own: Any) -> None:
    """Read the registry and bring the database to the same state."""
    settings = settings_of(ctx, **own)
    with Interrupts() as interrupts, progress(settings.progress) as told:
        summary = run(settings, interrupts=interrupts, progress=told)
    if settings.output == "json":
        click.echo(json.dumps(summary.as_json()))
    else:
        show(summary, Console(file=sys.stdout, highlight=False))
    sys.exit(summary.exit_code)


def show(summary: Summary, console: Console) -> None:
    """Print the result for people."""
    if summary.run_id is None:
        console.print("Dry run: nothing was written. This is what a run would do.", markup=False)
    proven = (
        f"proven complete ({summary.proof})"
        if summary.complete
        else "not proven complete: nothing was deleted"
    )
    console.print(
        f"{summary.status}, {proven}; {summary.mode}, {summary.duration_s:.1f} s, {summary.requests} requests, "
        f"{summary.retries} retries, {summary.bytes_received / 1e6:.1f} MB",
        markup=False,
        soft_wrap=True,
    )
    plan = summary.plan
    console.print(f"versions: {plan.way}, because {plan.because}", markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    names = ("seen", "inserted", "updated", "unchanged", "deleted", "restored", "rejected")
    for name in names:
        table.add_column(name, justify="right")
    for entity, tally in summary.tallies.items():
        table.add_row(entity, *(f"{getattr(tally, name):,}" for name in names))
    console.print(table)
    for warning in summary.warnings:
        console.print(f"Warning: {shown(warning)}", markup=False, soft_wrap=True)
    if summary.rejected:
        console.print(
            f"{summary.rejected} records could not be stored: table rejected_records holds them with the reason.",
            markup=False,
            soft_wrap=True,
        )
