"""`tfy-etl prune`: delete old run history, and print the counts as text or JSON."""

import json

import click

from etl.cli.output import print_result
from etl.settings import Settings
from etl.sync import Pruned, prune


def prune_command(settings: Settings) -> None:
    """Delete old run history, and print the number of deleted rows."""
    pruned = prune(settings)
    print_result(lambda: _print(pruned, as_json=settings.output == "json"), work_done=not pruned.dry_run)


def _print(pruned: Pruned, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(pruned.as_json()))
        return
    if pruned.dry_run:
        click.echo("Dry run: nothing was deleted. A run would delete these rows.")
    click.echo(f"{'Older' if pruned.dry_run else 'Deleted, older'} than {pruned.before:%Y-%m-%d %H:%M:%S} UTC:")
    for name, number in pruned.rows.items():
        click.echo(f"{name:<16} {number:>10}")
