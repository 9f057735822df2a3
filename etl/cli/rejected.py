"""`tfy-etl rejected list` and `show`: rejected records and their reasons."""

import json
from contextlib import suppress
from datetime import datetime
from typing import Any

import click

from etl.cli.sanitize import redact, redact_json, sanitize
from etl.settings import Settings
from etl.store import Reject, open_readonly, rejected_records

NONE_OPEN = "There are no open rejected records."


def show_all(settings: Settings, limit: int, output: str, *, also_resolved: bool) -> None:
    """Print the newest rejected records."""
    with open_readonly(settings.database()) as connection:
        found = rejected_records.list_rejected(connection, also_resolved=also_resolved, limit=limit)
        number = rejected_records.count(connection, also_resolved=also_resolved)
    if output == "json":
        click.echo(json.dumps({"count": number, "rejected": [redact_json(_as_json(each)) for each in found]}))
    elif not found:
        click.echo("There are no rejected records." if also_resolved else NONE_OPEN)
    else:
        _print_table(found, number, also_resolved=also_resolved)


def _as_json(reject: Reject) -> dict[str, Any]:
    times = {"rejected_at": reject.rejected_at, "resolved_at": reject.resolved_at}
    return reject._asdict() | {name: time and time.isoformat() for name, time in times.items()}


def _print_table(found: list[Reject], number: int, *, also_resolved: bool) -> None:
    from etl.cli.console import console, table  # noqa: PLC0415 JSON does not need it

    rows = table()
    for name in ("id", "rejected, UTC", "entity", "record", "reason", *(["resolved, UTC"] if also_resolved else [])):
        rows.add_column(name, no_wrap=name not in {"record", "reason"}, overflow="fold")
    for each in found:
        rows.add_row(
            str(each.id),
            _time(each.rejected_at),
            each.entity,
            sanitize(each.record_id),
            sanitize(each.reason),
            _time(each.resolved_at),
        )
    out = console()
    out.print(rows)
    if number > len(found):
        out.print(f"Showing the newest {len(found)} of {number}. Show all with --limit {number}.")


def show_one(settings: Settings, reject_id: int) -> None:
    """Print the fields and the payload of a rejected record."""
    with open_readonly(settings.database()) as connection:
        (found,) = rejected_records.by_numbers(connection, [reject_id])
        payload, host = rejected_records.payload_and_host(connection, reject_id)
    for name, value in (
        ("id", found.id),
        ("entity", found.entity),
        ("record", found.record_id),
        ("reason", found.reason),
        ("rejected", f"{_time(found.rejected_at)} UTC"),
        ("resolved", f"{_time(found.resolved_at)} UTC" if found.resolved_at else "no (open)"),
        ("run", found.run_id),
        ("host", host),
    ):
        click.echo(f"{name:<9} {sanitize(value)}".rstrip())
    click.echo(_pretty(payload))


def _pretty(payload: str) -> str:
    """The payload with a line for each field, in ASCII; unchanged if it cannot be parsed."""
    with suppress(RecursionError, ValueError):  # it is nested too deep, or has a number with too many digits
        payload = json.dumps(redact_json(json.loads(payload)), indent=2)
    return redact(payload).replace("\x7f", "\\u007f")


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
