"""`tfy-etl rejected`: what could not be stored, why, and another try."""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import click
from rich.table import Table

from etl.cli.options import options, settings_of
from etl.cli.progress import progress
from etl.cli.shown import console, shown, without_secrets
from etl.cli.sync import tell
from etl.store import Reject, reading, rejects
from etl.sync import Fate, Interrupts, Rereading, Summary, run

_NUMBER = click.IntRange(1, 2**63 - 1)
_NONE_OPEN = "No rejected record is open."
_WORDS = {
    "stored": "stored",
    "gone": "gone at the source",
    "rejected": "still rejected",
    "resolved": "was resolved before",
}


@click.group()
def rejected() -> None:
    """Show what could not be stored, and ask for it again."""


@rejected.command("list")
@click.option("--all", "also_resolved", is_flag=True, help="Also those that were stored since, or went.")
@click.option("--limit", type=click.IntRange(1, 2**31), default=50, show_default=True, help="Records to show.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print.")
@click.pass_context
def list_(ctx: click.Context, *, also_resolved: bool, limit: int, output: str) -> None:
    """List the records that could not be stored, newest first."""
    with reading(settings_of(ctx).database_url) as connection:
        found = rejects.listed(connection, also_resolved=also_resolved, limit=limit)
        number = rejects.count(connection, also_resolved=also_resolved)
    if output == "json":
        click.echo(without_secrets(json.dumps({"count": number, "rejected": [_as_json(each) for each in found]})))
    else:
        _show(found, number, also_resolved=also_resolved)


def _as_json(reject: Reject) -> dict[str, Any]:
    times = {"rejected_at": reject.rejected_at, "resolved_at": reject.resolved_at}
    return reject._asdict() | {name: time and time.isoformat() for name, time in times.items()}


def _show(found: list[Reject], number: int, *, also_resolved: bool) -> None:
    if not found:
        click.echo("No record was ever rejected." if also_resolved else _NONE_OPEN)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("id", "when, UTC", "entity", "record", "reason", *(["resolved, UTC"] if also_resolved else [])):
        table.add_column(name, no_wrap=name not in {"record", "reason"}, overflow="fold")
    for each in found:
        table.add_row(
            str(each.id),
            _time(each.rejected_at),
            each.entity,
            shown(each.record_id),
            shown(each.reason),
            _time(each.resolved_at),
        )
    out = console()
    out.print(table)
    if number > len(found):
        out.print(f"These are the newest {len(found)} of {number}: --limit {number} shows all.")


@rejected.command()
@click.argument("reject_id", metavar="ID", type=_NUMBER)
@click.pass_context
def show(ctx: click.Context, reject_id: int) -> None:
    """Show one of them whole, as the control plane sent it."""
    with reading(settings_of(ctx).database_url) as connection:
        (found,) = rejects.numbered(connection, [reject_id])
        payload, host = rejects.payload_and_host(connection, reject_id)
    for name, value in (
        ("id", found.id),
        ("entity", found.entity),
        ("record", found.record_id),
        ("reason", found.reason),
        ("rejected", f"{_time(found.rejected_at)} UTC"),
        ("resolved", f"{_time(found.resolved_at)} UTC" if found.resolved_at else "no, it is open"),
        ("run", found.run_id),
        ("host", host),
    ):
        click.echo(f"{name:<9} {shown(value)}".rstrip())
    click.echo(_pretty(payload))


def _pretty(payload: str) -> str:
    """The payload with a line for each field, in ASCII; as it is kept where it nests too deep for that."""
    with suppress(RecursionError, ValueError):  # or holds a number of too many digits
        payload = json.dumps(json.loads(payload), indent=2)
    return without_secrets(payload).replace("\x7f", "\\u007f")


@rejected.command()
@click.argument("reject_ids", metavar="[ID]...", type=_NUMBER, nargs=-1)
@click.pass_context
def retry(ctx: click.Context, /, reject_ids: tuple[int, ...], **own: Any) -> None:
    """Ask for them again, now, and store what can be read.

    The control plane is asked for those of the numbers given, else for all that are open. It is a run of its own, and
    deletes nothing. Exit code 0 means that each was stored or is gone at the source, 3 that some are still rejected;
    the others are those of sync.
    """
    settings = settings_of(ctx, **own)
    as_json = settings.output == "json"
    with reading(settings.database_url) as connection:
        found = (
            rejects.numbered(connection, reject_ids) if reject_ids else rejects.listed(connection, also_resolved=False)
        )
    rereading = Rereading([each for each in found if each.resolved_at is None])
    if not rereading.rejects:
        _tell(found, rereading, None, as_json=as_json)
        return
    with Interrupts(last=True) as interrupts:
        with progress(settings.progress) as told:
            summary = run(settings, interrupts=interrupts, progress=told, rereading=rereading)
        tell(lambda: _tell(found, rereading, summary, as_json=as_json), written=True)
    sys.exit(summary.exit_code)


retry.params[:0] = [each for each in options("sync") if each.name in {"lock_wait", "output"}]


def _tell(found: Sequence[Reject], rereading: Rereading, summary: Summary | None, *, as_json: bool) -> None:
    """Say what became of each. Without a run there was nothing to ask for."""
    before = {each.id: Fate("resolved") for each in found if each.resolved_at is not None}
    fates = [(each, before.get(each.id) or rereading.fates[each.id]) for each in found]
    if as_json:
        records = [
            {"id": each.id, "entity": each.entity, "record_id": each.record_id} | fate._asdict() for each, fate in fates
        ]
        ended = {"run_id": summary and summary.run_id, "status": summary and summary.status}
        click.echo(without_secrets(json.dumps(ended | {"records": records})))
        return
    for each, fate in fates:
        name = shown(each.record_id) or "without an id"
        why = f": {shown(fate.reason)}" if fate.reason else ""
        click.echo(f"{each.id}  {each.entity} {name}: {_WORDS[fate.outcome]}{why}")
    for warning in summary.warnings if summary else ():
        click.echo(f"Warning: {shown(warning)}")
    if not found:
        click.echo(_NONE_OPEN)


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
