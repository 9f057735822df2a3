"""`tfy-etl sync`: the main job, and its result in words or as JSON."""

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
    """Run, print the result, and end the process with the run's exit code."""
    with run_reporter(settings) as reporter, Interrupts(last=True) as interrupts:
        as_json = settings.output == "json"
        try:
            with progress(settings.progress) as told:
                summary = run(
                    settings, interrupts=interrupts, progress=reporter.wrap_progress(told), watch=reporter.watch
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
    """What is known of a run that wrote nothing: whoever reads the result shall find one."""
    run_id = reporter.watch.run_id if reporter.watch.is_recorded else None
    told = {"run_id": run_id, "status": status_of(error), "complete": False, "error": redact(str(error))}
    click.echo(json.dumps(told))


def show(summary: Summary, out: Console) -> None:
    """Print the result for people."""
    if summary.run_id is None:
        out.print("Dry run: nothing was written. A run would make these changes.")
    proven = f"proven complete ({summary.proof})" if summary.complete else "not proven complete: nothing was deleted"
    out.print(f"{summary.status}, {proven}")
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
