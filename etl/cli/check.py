"""`tfy-etl check`: every link of the chain, a line each, and what to do about the one that is broken."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import click

from etl.cli.shown import shown
from etl.errors import EtlError, RequestRefused
from etl.records import identity
from etl.settings import Settings
from etl.source import Client, Forbidden
from etl.store import lock_is_free, opened, runs, schema, server_of
from etl.sync import is_withheld, refusal_of_versions, why


class Link(NamedTuple):
    """One link: `probe` says in words that it holds, or raises; it makes sense only once those it `needs` hold."""

    name: str
    needs: tuple[str, ...]
    probe: Callable[[], str]


def check_links(settings: Settings) -> None:
    """Probe each in turn, and end the process with the exit code of the first failure."""
    held, codes = set[str](), []
    with ExitStack() as stack:
        if settings.log_level != "debug":
            stack.enter_context(_only_warnings())
        for link in (*_source_links(settings, stack), *_store_links(settings)):
            if missing := [name for name in link.needs if name not in held]:
                _say("skipped", link, f"requires {' and '.join(missing)}")
                continue
            try:
                _say("ok", link, link.probe())
                held.add(link.name)
            except EtlError as error:
                _say("FAILED", link, str(error))
                codes.append(error.exit_code)
    sys.exit(codes[0] if codes else 0)


@contextmanager
def _only_warnings() -> Iterator[None]:
    """What the rooms below log for information would say again what the links say."""
    log = logging.getLogger("etl")
    before = log.level
    log.setLevel(max(logging.WARNING, log.getEffectiveLevel()))
    try:
        yield
    finally:
        log.setLevel(before)


def _say(mark: str, link: Link, told: str) -> None:
    click.echo(f"{mark:<7}  {link.name:<14}  {shown(told)}")


def _source_links(settings: Settings, stack: ExitStack) -> list[Link]:
    clients: list[Client] = []

    def token() -> str:
        settings.token()
        return "found"

    def api() -> str:
        # One try is enough for a check, and tells sooner.
        once = replace(settings, max_retries=0)
        clients.append(stack.enter_context(Client(once, settings.token())))
        return f"{clients[0].discover()} responds"

    found: list[Any] = []

    def models() -> str:
        found.extend(clients[0].list("models", (), offset=0, limit=1).records)
        return "listed, with the latest version of each"

    def ml_repos() -> str:
        try:
            clients[0].probe("ml-repos")
        except (Forbidden, RequestRefused) as refusal:
            if not is_withheld(refusal):
                raise
            return f"{why('ML repos', refusal)}: ML repos will be derived from their models"
        return "listed"

    def versions() -> str:
        known = [each for each in found if isinstance(each, dict)]
        repos = [repo for each in known if (repo := identity(each.get("ml_repo_id")))]
        model_id = next((found_id for each in known if (found_id := identity(each.get("id")))), None)
        refusal = refusal_of_versions(clients[0], repos, model_id)
        if refusal is not None:
            return f"{why('model versions', refusal)}: only latest versions will be copied"
        return "listed: every version will be copied"

    return [
        Link("host", (), settings.base_url),
        Link("token", (), token),
        Link("API", ("host", "token"), api),
        Link("models", ("API",), models),
        Link("ml-repos", ("models",), ml_repos),
        Link("model-versions", ("models",), versions),
    ]


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

    def copy() -> str:
        with opened(url, read_only=True) as engine:
            if schema.current(engine) is None:
                return "the database is empty"
            with engine.connect() as connection:
                runs.stay_with(connection, settings.base_url())
            return "the database was filled from this host"

    return [
        Link("database", (), database),
        Link("schema", ("database",), revision),
        Link("copy", ("host", "schema"), copy),
        Link("lock", ("database",), lock),
    ]
