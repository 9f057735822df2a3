"""`tfy-etl diff`: what differs between two moments, between two versions of a model, or from the source."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import click

from etl.changes import NamedChange, as_json, difference, is_left_out, sentence
from etl.cli.moment import moment_at
from etl.cli.output import print_result
from etl.cli.sanitize import redact, sanitize
from etl.enums import Entity
from etl.errors import ConfigError
from etl.records.diff import changes as field_changes
from etl.settings import Settings
from etl.store import open_readonly, queries
from etl.store.queries.diff import VersionPair

DEFAULT_LIMIT = 100

Moment = timedelta | datetime | None
Describe = Callable[[NamedChange, Callable[[str], str]], str]


def diff_command(  # noqa: PLR0913 one for each option
    settings: Settings,
    model: str | None,
    *,
    moments: tuple[Moment, Moment],
    versions: tuple[int, int] | None,
    limit: int | None,
    output: str,
) -> None:
    """Print the differences, one line each. ConfigError if the model or a version is unknown."""
    if settings.dry_run:
        _diff_with_source(settings, limit, output)
    describe: Describe = sentence
    with open_readonly(settings.database()) as connection, queries.export.snapshot(connection) as now:
        model_ids = None if model is None else queries.changes.find_model_ids(connection, model)
        if versions is not None:
            old, new = (f"v{number}" for number in versions)
            found = _between_versions(queries.diff.version_pair(connection, model_ids or [], *versions))
            title = f"{old} compared with {new}"
            describe = partial(difference, old=old, new=new)
        else:
            start, end = moment_at(moments[0], now), moment_at(moments[1], now) or now
            if start is None or start >= end:
                raise ConfigError("--from must name an earlier moment than --to.")
            found = queries.diff.between(connection, start, end, model_ids)
            title = f"From {_time(start)} to {_time(end)} UTC"
            note = _history_note(start, queries.diff.history_start(connection))
            if note and output == "json":
                click.echo(f"Warning: {note}.", err=True)
            title += note and f". {note}"
    _print(found, limit, output, title, describe)


def _history_note(start: datetime, known_from: datetime | None) -> str:
    """Say from when on history is known; nothing if it is known at the start of the comparison."""
    created = "What the first run found counts as created"
    if known_from is None:
        return f"No run has been complete yet, so differences may be missing. {created}"
    if start < known_from:
        return f"History is known from {_time(known_from)} UTC on; earlier differences may be missing. {created}"
    return ""


def _between_versions(pair: VersionPair) -> list[NamedChange]:
    """Return the differences between the two versions."""
    _, new = pair.ids
    return pair.with_names(field_changes(Entity.MODEL_VERSIONS, new, pair.old, pair.new))


def _diff_with_source(settings: Settings, limit: int | None, output: str) -> None:
    """Print what the next sync would change, and exit with the code that it would have."""
    from etl.cli.progress import progress  # noqa: PLC0415 the other forms make no requests
    from etl.sync import Interrupts, run  # noqa: PLC0415 as above

    with Interrupts(last=True) as interrupts:
        with progress(settings.wants_progress()) as shown:
            summary = run(replace(settings, dry_run=True), interrupts=interrupts, progress=shown, list_all_changes=True)
        found = list(summary.changes.changes) if summary.changes else []
        # The others are log lines.
        for warning in summary.warnings[-1:] if summary.status == "refused" else ():
            click.echo(f"Warning: {sanitize(warning)}", err=True)
        print_result(lambda: _print(found, limit, output, "From the tables to the source"), work_done=False)
    sys.exit(summary.exit_code)


def _print(
    changes: Sequence[NamedChange], limit: int | None, output: str, title: str, describe: Describe = sentence
) -> None:
    if output == "json":
        shown = [as_json(each, redact) | {"sentence": describe(each, redact)} for each in changes[:limit]]
        click.echo(json.dumps(shown, indent=0))
        return
    listed = [each for each in changes if not is_left_out(each)]
    total, first = len(listed), listed[: limit or DEFAULT_LIMIT]
    from etl.cli.console import console, pluralize  # noqa: PLC0415 JSON does not need it

    out = console()
    out.print(f"{title}: {pluralize(total, 'difference')}.", style="bold", soft_wrap=True)
    for each in first:
        out.print(f"  {describe(each, sanitize)}", soft_wrap=True)
    if total > len(first):
        out.print(f"Showing {len(first)} of {total:,}. Show all with --limit {total}.")


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
