"""`tfy-etl status`: the last runs, and how fresh the tables are."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.table import Table

from etl.cli.options import settings_of, span
from etl.cli.shown import console, shown, without_secrets
from etl.errors import EtlError
from etl.store import reading, runs


@click.command()
@click.option(
    "--max-age", type=span, metavar="DURATION", help="Exit with 1 when the last complete run is older, such as 6h."
)
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="Runs to show.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@click.pass_context
def status(ctx: click.Context, max_age: timedelta | None, limit: int, output: str) -> None:
    """Show the last runs and how fresh the tables are."""
    with reading(settings_of(ctx).database_url) as connection:
        last, scopes = runs.latest(connection, limit), runs.freshness(connection)
    if output == "json":
        told = [run | {"error": run["error"] and without_secrets(run["error"])} for run in last]
        click.echo(json.dumps({"runs": told, "freshness": scopes}, default=_iso))
    else:
        _show(last, scopes)
    age = _age(scopes)
    if max_age is not None and (age is None or age > max_age):
        found = "there is none" if age is None else f"it is {_whole(age)} old"
        raise EtlError(
            f"The last complete run should be at most {_whole(max_age)} old, but {found}: "
            "look at the errors above, or run tfy-etl sync."
        )


def _age(scopes: list[dict[str, Any]]) -> timedelta | None:
    """The age of the tables: of the last run over everything, else of the scope that was longest left alone."""
    ages = {row["scope"]: row["age_seconds"] for row in scopes}
    return timedelta(seconds=ages.get(runs.WHOLE, max(ages.values()))) if ages else None


def _show(last: list[dict[str, Any]], scopes: list[dict[str, Any]]) -> None:
    out = console()
    if not last:
        out.print("No run yet: tfy-etl sync makes the first.")
        return
    # As narrow as it is, it fits 80 columns whatever the runs were like.
    table = Table("started, UTC", "status", "mode", box=None, pad_edge=False, collapse_padding=True)
    for name in ("models\nread", "versions\nread", "changed", "rejected"):
        table.add_column(name, justify="right")
    for run in last:
        table.add_row(_started(run), run["status"], run["mode"], *_counts(run["counts"]))
    out.print(table)
    for run in last:
        if run["error"]:
            out.print(f"{_started(run)} {run['status']}: {shown(run['error'])}", soft_wrap=True)
    if not scopes:
        out.print("No run was complete yet.")
    for row in scopes:
        age = timedelta(seconds=row["age_seconds"])
        out.print(f"Scope {shown(row['scope'])}: the last complete run was {_whole(age)} ago.")


def _started(run: dict[str, Any]) -> str:
    return f"{run['started_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _counts(counts: dict[str, Any]) -> tuple[str, ...]:
    """Models and versions seen, rows changed and records rejected, of a run that got so far."""
    if not counts:
        return ()
    kinds = ("inserted", "updated", "deleted", "restored")
    changed = sum(row[kind] for row in counts.values() for kind in kinds)
    rejected = sum(row["rejected"] for row in counts.values())
    return tuple(
        str(number) for number in (counts["models"]["seen"], counts["model_versions"]["seen"], changed, rejected)
    )


def _whole(span: timedelta) -> str:
    return str(timedelta(seconds=round(span.total_seconds())))


def _iso(value: Any) -> str:
    """What JSON has no word for."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
