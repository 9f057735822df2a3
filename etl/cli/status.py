"""`tfy-etl status`: the last runs, and the age of the tables."""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import click

from etl.cli.output import print_result
from etl.cli.sanitize import redact, sanitize
from etl.durations import format_duration
from etl.enums import Coverage
from etl.errors import EtlError
from etl.settings import Settings
from etl.store import open_readonly, runs

_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
"""The states of Nagios plugins, by exit code."""


def show_status(settings: Settings, limit: int, output: str, *, max_age: timedelta | None) -> None:
    """Print the last runs and the age of the tables. EtlError if they are older than `max_age`."""
    with open_readonly(settings.database()) as connection:
        last, scopes = runs.latest(connection, limit), runs.freshness(connection)
        with connection.begin():
            missing = runs.missing_versions(connection, scopes)
    if output == "json":
        shown = [run | {"error": run["error"] and redact(run["error"])} for run in last]
        click.echo(json.dumps({"runs": shown, "freshness": scopes}, default=_iso))
    else:
        _show(last, scopes, missing)
    age = _age(scopes)
    if max_age is not None and not _is_fresh(age, max_age):
        raise EtlError(
            f"The last complete run must be at most {format_duration(max_age)} old, but "
            f"{'there is none' if age is None else f'it {_describe_age(age)}'}: "
            f"{'fix the errors above, then ' if output == 'text' and any(run['error'] for run in last) else ''}run "
            "tfy-etl sync."
        )


def check_for_nagios(settings: Settings, *, max_age: timedelta | None, critical_age: timedelta | None) -> None:
    """Print one line as a Nagios plugin does, and exit with the code of its state."""
    try:
        with open_readonly(settings.database()) as connection:
            scopes = runs.freshness(connection)
    except EtlError as error:
        _end_check("UNKNOWN", str(error), "")
    age = _age(scopes)
    limits = ";".join("" if each is None else f"{each.total_seconds():.0f}" for each in (max_age, critical_age))
    performance = "" if age is None else f" | age={age.total_seconds():.0f}s;{limits};0"
    message = "there is no complete run" if age is None else f"the last complete run {_describe_age(age)}"
    for state, limit in (("CRITICAL", critical_age), ("WARNING", max_age)):
        if limit is not None and not _is_fresh(age, limit):
            _end_check(state, f"{message}, limit {format_duration(limit)}", performance)
    _end_check("UNKNOWN" if age is None else "OK", message, performance)


def _end_check(state: str, message: str, performance: str) -> NoReturn:
    text = sanitize(message).replace("|", "/")  # a bar marks the performance data
    line = f"TFY-ETL {state} - {text}{performance}"
    print_result(lambda: click.echo(line), work_done=True)  # the exit code matters, printed or not
    sys.exit(_STATES.index(state))


def _age(scopes: list[dict[str, Any]]) -> timedelta | None:
    seconds = runs.age_of(scopes)
    return None if seconds is None else timedelta(seconds=seconds)


def _show(last: list[dict[str, Any]], scopes: list[dict[str, Any]], missing: int | None) -> None:
    from etl.cli.console import console, table  # noqa: PLC0415 JSON, for monitoring, does not need it

    out = console()
    if not last:
        out.print("There are no runs yet: start the first with tfy-etl sync.")
        return
    # Narrow enough for 80 columns with any status and mode.
    run_table = table("started, UTC", "status", "mode", collapse_padding=True)
    for name in ("models\nread", "versions\nread", "changed", "rejected"):
        run_table.add_column(name, justify="right")
    for run in last:
        run_table.add_row(_started(run), run["status"], run["mode"], *_counts(run["counts"]))
    out.print(run_table)
    for run in last:
        if run["error"]:
            out.print(f"{_started(run)}: {sanitize(run['error'])}", soft_wrap=True)
    if not scopes:
        out.print("There is no complete run yet.")
    for row in scopes:
        age = timedelta(seconds=row["age_seconds"])
        covered = "all versions" if row["coverage"] == Coverage.ALL else "only the latest version of each model"
        when = f"was {format_duration(age)} ago" if age >= timedelta(0) else _describe_age(age)
        out.print(f"Scope {sanitize(row['scope'])}: the last complete run {when}, and copied {covered}.")
        compared = runs.full_comparison_age([row])
        if compared is not None:
            since = format_duration(timedelta(seconds=compared))
            out.print(f"The last full comparison was {since} ago. {runs.UNTIL_FULL_COMPARISON}", soft_wrap=True)
    if missing:
        noun = "version is" if missing == 1 else "versions are"
        out.print(f"{missing} older {noun} not copied. The view version_coverage shows their models.")


def _started(run: dict[str, Any]) -> str:
    return f"{run['started_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _counts(counts: dict[str, Any]) -> tuple[str, ...]:
    """Models and versions read, rows changed and records rejected; empty for a run that failed early."""
    if not counts:
        return ()
    kinds = ("inserted", "updated", "deleted", "restored")
    changed = sum(row[kind] for row in counts.values() for kind in kinds)
    rejected = sum(row["rejected"] for row in counts.values())
    return tuple(
        str(number) for number in (counts["models"]["seen"], counts["model_versions"]["seen"], changed, rejected)
    )


def _is_fresh(age: timedelta | None, limit: timedelta) -> bool:
    return age is not None and age <= limit and not runs.is_in_future(age.total_seconds())


def _describe_age(age: timedelta) -> str:
    if runs.is_in_future(age.total_seconds()):
        return f"is dated {format_duration(-age)} in the future (a clock was wrong)"
    return f"is {format_duration(max(age, timedelta(0)))} old"


def _iso(value: Any) -> str:
    """Serialize types that JSON does not have."""
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
