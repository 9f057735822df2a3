"""`tfy-etl report`: the page, into a file or to stdout."""

import sys
from datetime import timedelta
from pathlib import Path

import click

from etl.cli.shown import shown, without_secrets
from etl.errors import ConfigError
from etl.settings import Settings

_EXTRA = {"jinja2", "markupsafe", "pygal"}
_STDOUT = Path("-")


def make_and_tell(settings: Settings, out: Path, *, stale_after: timedelta, max_age: timedelta) -> None:
    """Make the page, put it where it is wanted, and say where that is."""
    try:
        from etl.report import render, replace  # noqa: PLC0415 what it needs may not be installed
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise ConfigError(f"{error.name} is not installed: install tfy-etl with its extra, tfy-etl[report].") from error
    page = render(settings.database_url, stale_after=stale_after, max_age=max_age, redact=without_secrets)
    if out == _STDOUT:
        sys.stdout.buffer.write(page.encode())  # in the encoding that the page itself names
        sys.stdout.flush()
        return
    replace(out, page)
    click.echo(f"Wrote {shown(out)}, {len(page.encode()) / 1000:,.0f} kB: open it in a browser.", err=True)
