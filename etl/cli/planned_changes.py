"""The changes that a dry run has found, as sentences or as JSON."""

from typing import Any

from rich.console import Console

from etl.changes import as_json, record_lines
from etl.cli.sanitize import redact, sanitize
from etl.sync import NAMED_RECORDS, Summary


def show_planned(summary: Summary, out: Console) -> None:
    """Print a line for each of the first records that the dry run found changed."""
    if summary.changes is None or not summary.changes.records:
        return
    out.print("What would change:")
    for line in record_lines(summary.changes, sanitize, NAMED_RECORDS):
        out.print(f"  {line}", soft_wrap=True)
    if summary.changes.records > NAMED_RECORDS:
        out.print("tfy-etl diff --dry-run shows every change.")


def planned_as_json(summary: Summary) -> dict[str, Any]:
    """Return the first changes of a dry run, and the number of changed records; nothing for other runs."""
    if summary.changes is None:
        return {}
    changes = [as_json(each, redact) for each in summary.changes.changes]
    return {"changes": changes, "changed_records": summary.changes.records}
