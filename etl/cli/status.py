"""`tfy-etl status`: the last runs, and how fresh the tables are."""

import json
import sys
from datetime import datetime, timedelta
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from etl.cli.options import settings_of, span
from etl.cli.shown import shown
from etl.store import reading, runs


@click.command()
@click.option(
    "--max-age", type=span, metavar="DURATION", help="Exit with 1 when the last complete run is older, such as 6h."
)
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="Runs to show.")
@click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)
@click.pass_context
def status(ctx: click.Context, max_age: timedelta | None, limit: int, output: str) -> None:
    """Show the last runs and how fresh the tables are."""
    with reading(settings_of(ctx).database_url) as connection:
        last, scopes = runs.latest(connection, limit), runs.freshness(connection)
    ages = [row["age_seconds"] for row in scopes if row["age_seconds"] is not None]
    age = timedelta(seconds=min(ages)) if ages else None
    if output == "json":
        click.echo(json.dumps({"runs": last, "freshness": scopes}, default=_plain))
    else:
        _show(last, scopes)
    if max_age is not None and (age is None or age > max_age):
        found = "there is none" if age is None else f"it is {_age(age)} old"
        click.echo(
            f"Error: The last complete run should be at most {_age(max_age)} old, but {found}.", err=True
        )
        sys.exit(1)


def _show(last: list[dict[str, Any]], scopes: list[dict[str, Any]]) -> None:
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    if not last:
        console.print("No run yet: tfy-etl sync makes the first.")
        return
    table = Table(
        "started (UTC)",
        "status",
        "mode",
        "proof",
        "models",
        "versions",
        "changed",
        "rejected",
        "error",
        box=None,
    )
    for run in last:
        counts = run["counts"]
        table.add_row(
            f"{run['started_at']:%Y-%m-%d %H:%M:%S}",
            run["status"],
            run["mode"],
            run["proof"] or "",
            _count(counts, "models", "seen"),
            _count(counts, "model_versions", "seen"),
            str(
                sum(
                    row[kind]
                    for row in counts.values()
                    for kind in ("inserted", "updated", "deleted", "restored")
                )
            ),
            str(sum(row["rejected"] for row in counts.values())),
            shown(run["error"]).replace("[", r"\["),
        )
    console.print(table)
    for row in scopes:
        age = timedelta(seconds=row["age_seconds"])
        console.print(f"scope {shown(row['scope'])}: last complete run {_age(age)} ago", markup=False)


def _count(counts: dict[str, Any], entity: str, kind: str) -> str:
    return str(counts[entity][kind]) if entity in counts else ""


def _age(span: timedelta) -> str:
    return str(timedelta(seconds=round(span.total_seconds())))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
