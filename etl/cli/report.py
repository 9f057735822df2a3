"""`tfy-etl report`: write the HTML report to a file or to stdout."""

import sys
from datetime import timedelta
from pathlib import Path

import click

from etl.cli.sanitize import redact, sanitize
from etl.errors import missing_extra
from etl.settings import Settings

_EXTRA = {"jinja2", "markupsafe", "pygal"}
_STDOUT = Path("-")


def report_command(settings: Settings, out: Path, *, stale_after: timedelta, max_age: timedelta) -> None:
    """Write the report, and print the name of its file."""
    try:
        from etl.report import render, replace  # noqa: PLC0415 what it needs may not be installed
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise missing_extra("tfy-etl report", "report") from error
    page = render(settings.database_url, stale_after=stale_after, max_age=max_age, redact=redact)
    if out == _STDOUT:
        sys.stdout.buffer.write(page.encode())  # in UTF-8, which the page declares
        sys.stdout.flush()
        return
    replace(out, page)
    click.echo(f"Wrote {sanitize(out)}, {len(page.encode()) / 1000:,.0f} kB. Open it in a browser.", err=True)
