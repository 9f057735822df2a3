"""`tfy-etl sync`: make a run, and print its result as text or JSON."""

import json
import sys
from functools import partial

import click
from rich.console import Console

from etl.cli.console import console, pluralize, table
from etl.cli.output import print_result
from etl.cli.progress import progress
from etl.cli.run_reporter import RunReporter, run_reporter, status_of
from etl.cli.sanitize import redact, sanitize
from etl.errors import EtlError
from etl.settings import Settings
from etl.sync import Interrupts, Summary, run

_COVERAGE = {"all": "all versions of each model", "latest": "only the latest version of each model"}
_COUNTS = ("seen", "inserted", "updated", "unchanged", "deleted", "restored", "rejected")


def sync_command(settings: Settings) -> None:
    """Make the run, print its result, and exit with its code."""
    with run_reporter(settings) as reporter, Interrupts(last=True) as interrupts:
        as_json = settings.output == "json"
        try:
            with progress(settings.wants_progress()) as shown_progress:
                summary = run(
                    settings,
                    interrupts=interrupts,
                    progress=reporter.wrap_progress(shown_progress),
                    watch=reporter.watch,
                )
        except EtlError as error:
            if as_json:
                print_result(partial(_print_failure, error, reporter), work_done=True)
            raise
        reporter.summary = summary
        print_result(lambda: _print(summary, as_json=as_json), work_done=summary.run_id is not None)
    sys.exit(summary.exit_code)


def _print(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        warnings = [redact(each) for each in summary.warnings]
        click.echo(json.dumps(summary.as_json() | {"warnings": warnings}))
    else:
        show(summary, console())


def _print_failure(error: EtlError, reporter: RunReporter) -> None:
    """Print a result for a failed run too, because programs expect a JSON object."""
    run_id = reporter.watch.run_id if reporter.watch.is_recorded else None
    result = {"run_id": run_id, "status": status_of(error), "complete": False, "error": redact(str(error))}
    click.echo(json.dumps(result))


def show(summary: Summary, out: Console) -> None:
    """Print the result for people."""
    if summary.run_id is None:
        out.print("Dry run: nothing was written. A run would make these changes.")
    completeness = (
        f"proven complete ({summary.proof})" if summary.complete else "not proven complete: nothing was deleted"
    )
    out.print(f"{summary.status}, {completeness}")
    out.print(
        f"{summary.mode}, {summary.duration_s:.1f} s, {pluralize(summary.requests, 'request')}, "
        f"{pluralize(summary.retries, 'retry', 'retries')}, {summary.bytes_received / 1e6:.1f} MB"
    )
    if summary.coverage is not None:
        out.print(f"coverage: {_COVERAGE[summary.coverage]}")
    out.print(f"versions: {summary.plan.way}, because {sanitize(summary.plan.because)}")
    counts = table("")
    for name in _COUNTS:
        counts.add_column(name, justify="right")
    for entity, tally in summary.tallies.items():
        counts.add_row(entity, *(str(getattr(tally, name)) for name in _COUNTS))
    out.print(counts)
    for warning in summary.warnings:
        out.print(f"Warning: {sanitize(warning)}")
    if summary.rejected:
        out.print(f"{pluralize(summary.rejected, 'record')} rejected: list the reasons with tfy-etl rejected list.")
