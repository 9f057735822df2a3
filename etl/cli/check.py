"""`tfy-etl check`: test the token, the control plane and the database, one line for each check."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import click

from etl.cli.sanitize import redact_json, sanitize
from etl.errors import EtlError, RequestRefused
from etl.settings import Settings
from etl.source import Client, Forbidden, explain_refusal, is_withheld, refusal_of_versions
from etl.store import check_lock_free, describe_database, engine_scope, runs, schema

_MARKS = {True: "ok", False: "FAILED", None: "skipped"}
_VERBS = (
    "add|ask|check|choose|create|fix|give|grant|install|look|lower|move|name|open|pass|put|remove|run|see|set|start|"
    "try|upgrade|use|wait|write"
)
_FIX = re.compile(rf"[:;.] (?=(?:{_VERBS})\b)", re.IGNORECASE)


class Check(NamedTuple):
    """A check: `run` returns a description of the success, or raises. It runs only after those it `needs`."""

    name: str
    needs: tuple[str, ...]
    run: Callable[[], str]


class Result(NamedTuple):
    """The result of a check. `ok` is None if it was skipped, and `fix` is None unless it failed."""

    name: str
    ok: bool | None
    detail: str
    fix: str | None


def run_checks(settings: Settings, output: str) -> None:
    """Run the checks in order, print their results, and exit with the code of the first failure."""
    codes, results = list[int](), list[Result]()
    with ExitStack() as stack:
        if settings.log_level != "debug" and not settings.verbose:
            stack.enter_context(_only_warnings())
        for check in (*_source_checks(settings, stack), *_store_checks(settings)):
            passed = {each.name for each in results if each.ok}
            results.append(_result(check, passed, codes))
            if output == "text":
                _print(results[-1])
    if output == "json":
        shown = [each._replace(detail=redact_json(each.detail), fix=redact_json(each.fix)) for each in results]
        click.echo(json.dumps({"ok": not codes, "checks": [each._asdict() for each in shown]}))
    sys.exit(codes[0] if codes else 0)


def _result(check: Check, passed: set[str], codes: list[int]) -> Result:
    """Run a check, unless one that it needs has not passed; add the exit code of a failure to `codes`."""
    if missing := [name for name in check.needs if name not in passed]:
        return Result(check.name, None, f"requires {' and '.join(missing)}", None)
    try:
        return Result(check.name, True, check.run(), None)  # noqa: FBT003 a field of the result
    except EtlError as error:
        codes.append(error.exit_code)
        return Result(check.name, False, *split_fix(str(error)))  # noqa: FBT003 the same


def split_fix(message: str) -> tuple[str, str]:
    """Split an error message, `what failed: what to do`, into its parts. Without the second, the first is both."""
    detail, _, fix = _FIX.sub("\0", message, count=1).partition("\0")
    return (f"{detail.rstrip('.')}.", f"{fix[0].upper()}{fix[1:]}") if fix else (message, message)


@contextmanager
def _only_warnings() -> Iterator[None]:
    """Hide log lines of level info, which would repeat the results of the checks."""
    log = logging.getLogger("etl")
    before = log.level
    log.setLevel(max(logging.WARNING, log.getEffectiveLevel()))
    try:
        yield
    finally:
        log.setLevel(before)


def _print(result: Result) -> None:
    text = result.detail if result.fix in {None, result.detail} else f"{result.detail} {result.fix}"
    click.echo(f"{_MARKS[result.ok]:<7}  {result.name:<14}  {sanitize(text)}")


def _source_checks(settings: Settings, stack: ExitStack) -> list[Check]:
    clients: list[Client] = []

    def token() -> str:
        settings.token()
        return "found"

    def api() -> str:
        # Without retries, a check fails sooner.
        once = replace(settings, max_retries=0)
        clients.append(stack.enter_context(Client(once, settings.token())))
        return f"{clients[0].discover()} responds"

    found: list[Any] = []

    def models() -> str:
        found.extend(clients[0].list_page("models", (), offset=0, limit=1).records)
        return "listed, with the latest version of each"

    def ml_repos() -> str:
        try:
            clients[0].probe("ml-repos")
        except (Forbidden, RequestRefused) as refusal:
            if not is_withheld(refusal):
                raise
            return f"{explain_refusal('ML repos', refusal)}: ML repos will be derived from their models"
        return "listed"

    def versions() -> str:
        known = [each for each in found if isinstance(each, dict)]
        repos = [repo for each in known if isinstance(repo := each.get("ml_repo_id"), str)]
        model_id = next((own for each in known if isinstance(own := each.get("id"), str)), None)
        refusal = refusal_of_versions(clients[0], repos, model_id)
        if refusal is not None:
            return f"{explain_refusal('model versions', refusal)}: only latest versions will be copied"
        return "listed: every version will be copied"

    return [
        Check("host", (), settings.base_url),
        Check("token", (), token),
        Check("API", ("host", "token"), api),
        Check("models", ("API",), models),
        Check("ml-repos", ("models",), ml_repos),
        Check("model-versions", ("models",), versions),
    ]


def _store_checks(settings: Settings) -> list[Check]:
    url = settings.database()

    def database() -> str:
        with engine_scope(url, read_only=True) as engine:
            return describe_database(engine, url)

    def revision() -> str:
        with engine_scope(url, read_only=True) as engine:
            return schema.describe(engine)

    def lock() -> str:
        with engine_scope(url, read_only=True) as engine:
            return check_lock_free(engine)

    def copy() -> str:
        with engine_scope(url, read_only=True) as engine:
            if schema.current(engine) is None:
                return "the database is empty"
            with engine.connect() as connection:
                runs.check_same_host(connection, settings.base_url())
                written = runs.last_host(connection) is not None
            return "the database was filled from this host" if written else "no run has written anything yet"

    return [
        Check("database", (), database),
        Check("schema", ("database",), revision),
        Check("copy", ("host", "schema"), copy),
        Check("lock", ("database",), lock),
    ]
