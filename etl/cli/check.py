"""`tfy-etl check`: every link of the chain, a line each, and what to do about the one that is broken."""

import sys
from collections.abc import Callable
from dataclasses import replace

import click

from etl.cli.options import settings_of
from etl.cli.shown import shown
from etl.errors import EtlError
from etl.settings import Settings
from etl.source import Client
from etl.store import lock_is_free, opened, schema, server_of

Link = tuple[str, Callable[[], str]]


@click.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Test host, token, API, database, schema and lock, one line each, and say what to do about each failure.

    Writes nothing. The exit code is that of the first failure.
    """
    settings = settings_of(ctx)
    codes = [_try(name, link) for name, link in (*_source_links(settings), *_store_links(settings))]
    sys.exit(next((code for code in codes if code), 0))


def _source_links(settings: Settings) -> list[Link]:
    # One try is enough for a check, and tells sooner.
    once = replace(settings, max_retries=0)

    def api() -> str:
        with Client(once, once.token()) as client:
            return f"{client.discover()} answers"

    def token() -> str:
        settings.token()
        return "there is one"

    def accepted() -> str:
        with Client(once, once.token()) as client:
            client.discover()
            for endpoint in ("ml-repos", "models"):
                client.list(endpoint, (), offset=0, limit=1)
        return "may list ML repos and models"

    return [("host", settings.base_url), ("token", token), ("API", api), ("access", accepted)]


def _store_links(settings: Settings) -> list[Link]:
    url = settings.database_url

    def database() -> str:
        with opened(url, read_only=True) as engine:
            return server_of(engine, url)

    def revision() -> str:
        with opened(url, read_only=True) as engine:
            return schema.describe(engine)

    def lock() -> str:
        with opened(url, read_only=True) as engine:
            return lock_is_free(engine)

    return [("database", database), ("schema", revision), ("lock", lock)]


def _try(name: str, link: Callable[[], str]) -> int:
    try:
        told, code, mark = link(), 0, "ok    "
    except EtlError as error:
        told, code, mark = str(error), error.exit_code, "FAILED"
    click.echo(f"{mark}  {name:<8}  {shown(told)}")
    return code
