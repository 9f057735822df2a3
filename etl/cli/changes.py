"""`tfy-etl changes`: the changes that runs recorded, as sentences or as JSON."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby

import click

from etl.changes import NOTHING_RECORDED, NamedChange, as_json, sentence
from etl.cli.moment import moment_at
from etl.cli.sanitize import redact, sanitize
from etl.errors import ConfigError
from etl.settings import Settings
from etl.store import open_readonly, queries
from etl.store.queries.changes import ChangeFilter, Counts

DEFAULT_LIMIT = 100

Moment = timedelta | datetime | None


def changes_command(  # noqa: PLR0913 one for each option
    settings: Settings,
    *,
    since: Moment,
    until: Moment,
    run_id: str | None,
    model: str | None,
    limit: int | None,
    output: str,
) -> None:
    """Print the changes between two moments, of a run, or of a model. ConfigError if the run or model is unknown."""
    with open_readonly(settings.database()) as connection, queries.export.snapshot(connection) as now:
        has_runs = queries.changes.has_runs(connection)
        chosen = ChangeFilter(
            since=moment_at(since, now),
            until=moment_at(until, now),
            run_id=None if run_id is None else queries.changes.check_run(connection, run_id),
            model_ids=None if model is None or not has_runs else queries.changes.find_model_ids(connection, model),
        )
        if chosen.since and chosen.until and chosen.since >= chosen.until:
            raise ConfigError("--since must name an earlier moment than --until.")
        if output == "json":
            _print_json(queries.changes.recorded(connection, chosen, limit=limit, every=True))
        elif not has_runs:
            click.echo("There are no runs yet: start the first with tfy-etl sync.")
        else:
            found = list(queries.changes.recorded(connection, chosen, limit=limit or DEFAULT_LIMIT))
            nothing = _nothing(chosen, model, queries.changes.pruned_until(connection))
            _print_text(found, queries.changes.count(connection, chosen), nothing)


def _print_json(changes: Iterable[NamedChange]) -> None:
    """Print a list, one object at a time: the history may be large."""
    separator = "["
    for each in changes:
        click.echo(f"{separator}{json.dumps(as_json(each, redact))}", nl=False)
        separator = ",\n"
    click.echo("[]" if separator == "[" else "]")


def _print_text(changes: list[NamedChange], counts: Counts, nothing: str) -> None:
    """Print a line for each change, or the sentence that there are none."""
    from etl.cli.console import console, pluralize  # noqa: PLC0415 JSON does not need it

    out = console()
    for place, (run, group) in enumerate(groupby(changes, key=lambda each: (each.observed_at, each.run_id))):
        observed_at, run_id = run
        out.print(f"{chr(10) if place else ''}{_time(observed_at)} UTC, run {run_id}", style="bold", soft_wrap=True)
        for each in group:
            out.print(f"  {sentence(each, sanitize)}", soft_wrap=True)
    if not changes:
        out.print(nothing, soft_wrap=True)
    elif counts.shown > len(changes):
        out.print(f"\nShowing the newest {len(changes)} of {counts.shown}. Show all with --limit {counts.shown}.")
    if counts.bookkeeping:
        left_out = pluralize(counts.bookkeeping, "change")
        out.print(f"Not shown: {left_out} of fields such as updated_at. --output json has all changes.", soft_wrap=True)


def _nothing(chosen: ChangeFilter, model: str | None, pruned_until: datetime | None) -> str:
    """Say that there are no changes, among which, and a possible reason."""
    parts = [
        f" of {sanitize(model)}" if model is not None else "",
        " in this run" if chosen.run_id is not None else "",
        f" since {_time(chosen.since)} UTC" if chosen.since is not None else "",
        f" before {_time(chosen.until)} UTC" if chosen.until is not None else "",
    ]
    were_pruned = pruned_until is not None and (chosen.since is None or chosen.since <= pruned_until)
    reason = f"Changes until {_time(pruned_until)} UTC were pruned." if were_pruned else NOTHING_RECORDED
    return f"There are no changes{''.join(parts)}. {reason}"


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
