"""`tfy-etl explore`: serve the SQLite file to a browser."""

import webbrowser

import click

from etl.errors import missing_extra
from etl.store import queries


def explore_command(database_url: str, port: int, *, open_browser: bool) -> None:
    """Serve the file until a signal stops the process."""
    path = queries.explore.file_to_browse(database_url)
    try:
        from etl.explore.server import listen, serve  # noqa: PLC0415 optional, and slow to import
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"datasette", "uvicorn"}:
            raise
        raise missing_extra("tfy-etl explore", "explore") from error
    listener = listen(port)
    click.echo(f"Serving the registry at {listener.url} (press Ctrl+C to stop)")
    if open_browser:
        webbrowser.open(listener.url)
    serve(path, listener)
