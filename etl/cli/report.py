"""`tfy-etl report`: write the HTML report to a file or to stdout."""

import sys
from datetime import timedelta
from pathlib import Path

import click

from etl.cli.sanitize import redact, sanitize
from etl.errors import missing_extra
from etl.settings import Settings
from etl.urls import checked_model_url

_EXTRA = {"jinja2", "markupsafe"}
_STDOUT = Path("-")


def report_command(settings: Settings, out: Path, *, stale_after: timedelta, max_age: timedelta) -> None:
    """Write the report, and print the name of its file."""
    if out == _STDOUT:
        sys.stdout.buffer.write(_render(settings, stale_after, max_age).encode())  # in UTF-8, which the page declares
        sys.stdout.flush()
        return
    click.echo(write_report(settings, out, stale_after=stale_after, max_age=max_age), err=True)


def write_report(settings: Settings, out: Path, *, stale_after: timedelta, max_age: timedelta) -> str:
    """Write the report to a file, and return a line that says so. ExtraMissing if a library of it is missing."""
    page = _render(settings, stale_after, max_age)
    from etl.report import replace  # noqa: PLC0415 as in _render

    replace(out, page)
    return f"Wrote {sanitize(out)}, {len(page.encode()) / 1000:,.0f} kB. Open it in a browser."


def _render(settings: Settings, stale_after: timedelta, max_age: timedelta) -> str:
    model_url = None if settings.model_url is None else checked_model_url(settings.model_url)
    try:
        from etl.report import render  # noqa: PLC0415 what it needs may not be installed
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise missing_extra("tfy-etl report", "report") from error
    return render(settings.database(), stale_after=stale_after, max_age=max_age, redact=redact, model_url=model_url)
