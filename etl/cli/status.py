"""`tfy-etl status`: the last runs, and how fresh the tables are."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from etl.cli.shown import shown, without_secrets
from etl.errors import EtlError
from etl.settings import Settings
from etl.store import reading, runs


def show_status(settings: Settings, max_age: timedelta | None, limit: int, output: str) -> None:
    """Print the last runs and the age of the tables; EtlError when they are older than they should be."""
    with reading(settings.database_url) as connection:
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
    from etl.cli.drawing import console, table  # noqa: PLC0415 JSON, which monitoring asks for, is not drawn

    out = console()
    if not last:
        out.print("No run yet: tfy-etl sync makes the first.")
        return
    # As narrow as it is, it fits 80 columns whatever the runs were like.
    runs_told = table("started, UTC", "status", "mode", collapse_padding=True)
    for name in ("models\nread", "versions\nread", "changed", "rejected"):
        runs_told.add_column(name, justify="right")
    for run in last:
        runs_told.add_row(_started(run), run["status"], run["mode"], *_counts(run["counts"]))
    out.print(runs_told)
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
