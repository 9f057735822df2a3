"""`tfy-etl rejected retry`: fetch rejected records again."""

import json
import sys
from collections.abc import Sequence

import click

from etl import run_context
from etl.cli.output import print_result
from etl.cli.progress import progress
from etl.cli.rejected import NONE_OPEN
from etl.cli.sanitize import redact_json, sanitize
from etl.settings import Settings
from etl.store import Reject, open_readonly, rejected_records
from etl.sync import Interrupts, RejectedRetry, RetryResult, RunMonitor, Summary, run

_OUTCOMES = {
    "stored": "stored",
    "missing": "deleted at the source",
    "rejected": "still rejected",
    "resolved": "already resolved",
}


def retry_rejected(settings: Settings, reject_ids: Sequence[int]) -> None:
    """Retry the records with the given ids, or else all open ones. Exit if there was a run."""
    as_json = settings.output == "json"
    with open_readonly(settings.database()) as connection:
        found = (
            rejected_records.by_numbers(connection, reject_ids)
            if reject_ids
            else rejected_records.list_rejected(connection, also_resolved=False)
        )
    retry = RejectedRetry([each for each in found if each.resolved_at is None])
    if not retry.rejects:
        _print(found, retry, None, as_json=as_json)
        return
    monitor = RunMonitor()
    run_context.set_process_run_id(monitor.run_id)
    with Interrupts(last=True) as interrupts:
        with progress(settings.wants_progress()) as run_progress:
            summary = run(settings, interrupts=interrupts, progress=run_progress, retry=retry, monitor=monitor)
        print_result(lambda: _print(found, retry, summary, as_json=as_json), work_done=True)
    sys.exit(summary.exit_code)


def _print(found: Sequence[Reject], retry: RejectedRetry, summary: Summary | None, *, as_json: bool) -> None:
    """Print the result for each record. There is no summary if no record was open."""
    before = {each.id: RetryResult("resolved") for each in found if each.resolved_at is not None}
    results = [(each, before.get(each.id) or retry.results[each.id]) for each in found]
    if as_json:
        records = [
            {"id": each.id, "entity": each.entity, "record_id": each.record_id} | result._asdict()
            for each, result in results
        ]
        ended = {"run_id": summary and summary.run_id, "status": summary and summary.status}
        click.echo(json.dumps(redact_json(ended | {"records": records})))
        return
    for each, result in results:
        name = sanitize(each.record_id) or "(no id)"
        reason = f": {sanitize(result.reason)}" if result.reason else ""
        click.echo(f"{each.id}  {each.entity} {name}: {_OUTCOMES[result.outcome]}{reason}")
    for warning in summary.warnings if summary else ():
        click.echo(f"Warning: {sanitize(warning)}")
    if not found:
        click.echo(NONE_OPEN)
