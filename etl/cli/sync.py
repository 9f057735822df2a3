"""`tfy-etl sync`: make a run, and print its result as text or JSON."""

import gc
import json
import sys
from functools import partial

import click

from etl import run_context
from etl.cli.console import console
from etl.cli.output import print_result
from etl.cli.planned_changes import planned_as_json
from etl.cli.progress import progress
from etl.cli.result import print_run_result
from etl.cli.sanitize import redact
from etl.errors import EtlError
from etl.settings import Settings
from etl.sync import Interrupts, RunReporter, Summary, run, run_reporter, status_of

__all__ = ["print_run_result", "sync_command"]


def sync_command(settings: Settings) -> None:
    """Make the run, print its result, and exit with its code."""
    gc.set_threshold(50_000, 20, 100)  # a page has many objects and no cycles: look for cycles rarely
    with run_reporter(settings, redact) as reporter, Interrupts(last=True) as interrupts:
        run_context.set_process_run_id(reporter.monitor.run_id)
        as_json = settings.output == "json"
        try:
            with progress(settings.wants_progress()) as shown_progress:
                summary = run(
                    settings,
                    interrupts=interrupts,
                    progress=reporter.wrap_progress(shown_progress),
                    monitor=reporter.monitor,
                )
        except EtlError as error:
            if as_json:
                print_result(partial(_print_failure, error, reporter), work_done=True)
            raise
        reporter.summary = summary
        print_result(lambda: _print(summary, settings), work_done=summary.run_id is not None)
    sys.exit(summary.exit_code)


def _print(summary: Summary, settings: Settings) -> None:
    if settings.output == "json":
        warnings = [redact(each) for each in summary.warnings]
        click.echo(json.dumps(summary.as_json() | planned_as_json(summary) | {"warnings": warnings}))
    else:
        print_run_result(summary, console(), brief=settings.quiet)


def _print_failure(error: EtlError, reporter: RunReporter) -> None:
    """Print a result for a failed run too, because programs expect a JSON object."""
    run_id = reporter.monitor.run_id if reporter.monitor.is_recorded else None
    result = {"run_id": run_id, "status": status_of(error), "complete": False, "error": redact(str(error))}
    click.echo(json.dumps(result))
