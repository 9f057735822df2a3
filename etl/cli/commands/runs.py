"""Commands that start or show runs: sync, check, status, rejected, prune."""

from datetime import timedelta
from typing import Any

import click

from etl.cli.lazy import imports_without_gc
from etl.cli.options import Duration, GroupedHelp, add_options, options, output_option, settings_of
from etl.settings import env_names

_RECORD_ID = click.IntRange(1, 2**63 - 1)


@add_options("sync", "words")
@click.command(
    cls=GroupedHelp,
    epilog="""
    \b
    tfy-etl sync                          sync everything
    tfy-etl sync --dry-run                show what would change, without writing
    tfy-etl sync --full                   ignore updated_at, compare every version
    tfy-etl sync --ml-repo 12             sync one ML repo
    tfy-etl sync --output json | jq .models.inserted

    This command also accepts the options for connection, database and logs: see tfy-etl --help.
    """,
)
@click.pass_context
def sync(ctx: click.Context, /, **own: Any) -> None:
    """Copy the registry's current state into the database.

    The first run reads everything. Later runs read all models, and the versions of models that seem changed. All
    changes become visible in one commit, or none do.
    """
    settings = settings_of(ctx, **own)  # before the import, to report invalid settings at once
    with imports_without_gc():
        from etl.cli.sync import sync_command
    sync_command(settings)


@click.command()
@output_option
@click.pass_context
def check(ctx: click.Context, output: str) -> None:
    """Test the connection, the token, the lists and the database.

    Prints one line for each check: host, token, API, models, ml-repos, model-versions, database, schema, copy and
    lock. A list that is not offered or not allowed is not a failure: its line says what will not be copied. Writes
    nothing. Exits with the code of the first failed check.
    """
    with imports_without_gc():
        from etl.cli.check import run_checks
    run_checks(settings_of(ctx), output)


@click.command()
@click.option(
    "--max-age",
    type=Duration(),
    help="Exit with 1 if the last complete run is older than this, such as 6h.",
)
@click.option(
    "--critical-age",
    type=Duration(),
    help="With --output nagios: report CRITICAL if it is older than this.",
)
@click.option("--limit", type=click.IntRange(1, 2**31), default=10, show_default=True, help="Number of runs to show.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "nagios"]),
    default="text",
    envvar=env_names("output"),
    show_default=True,
    help="Output format; nagios prints one line and exits as a Nagios plugin does.",
)
@click.pass_context
def status(ctx: click.Context, /, limit: int, output: str, **ages: timedelta | None) -> None:
    """Show the last runs and the age of the tables.

    With --output nagios, the exit code is that of a Nagios plugin: 0 (OK), 1 (WARNING, older than --max-age), 2
    (CRITICAL, older than --critical-age) or 3 (UNKNOWN, the database gives no answer).
    """
    if ages["critical_age"] is not None and output != "nagios":
        raise click.BadOptionUsage("--critical-age", "--critical-age requires --output nagios", ctx)
    with imports_without_gc():
        from etl.cli.status import check_for_nagios, show_status
    if output == "nagios":
        check_for_nagios(settings_of(ctx), **ages)
    show_status(settings_of(ctx), limit, output, max_age=ages["max_age"])


@click.group()
def rejected() -> None:
    """List, show and retry rejected records."""


@rejected.command("list")
@click.option("--all", "also_resolved", is_flag=True, help="Include resolved records.")
@click.option(
    "--limit", type=click.IntRange(1, 2**31), default=50, show_default=True, help="Number of records to show."
)
@output_option
@click.pass_context
def list_(ctx: click.Context, *, also_resolved: bool, limit: int, output: str) -> None:
    """List rejected records, newest first."""
    with imports_without_gc():
        from etl.cli.rejected import show_all
    show_all(settings_of(ctx), limit, output, also_resolved=also_resolved)


@rejected.command()
@click.argument("reject_id", metavar="ID", type=_RECORD_ID)
@click.pass_context
def show(ctx: click.Context, reject_id: int) -> None:
    """Show one rejected record as the control plane sent it."""
    with imports_without_gc():
        from etl.cli.rejected import show_one
    show_one(settings_of(ctx), reject_id)


_OF_RETRY = {"accept_host", "lock_wait", "max_run_time", "output"}


@rejected.command()
@click.argument("reject_ids", metavar="[ID]...", type=_RECORD_ID, nargs=-1)
@click.pass_context
def retry(ctx: click.Context, /, reject_ids: tuple[int, ...], **own: Any) -> None:
    """Fetch rejected records again, and store those that are valid now.

    Retries the records with the given ids, or else all open ones. The retry is a run of its own, and deletes
    nothing. Exit code 0 means that each record was stored or no longer exists, 3 that some are still rejected. The
    other exit codes are those of sync.
    """
    settings = settings_of(ctx, **own)
    with imports_without_gc():
        from etl.cli.rejected_retry import retry_rejected
    retry_rejected(settings, reject_ids)


retry.params[:0] = [each for each in options("sync") if each.name in _OF_RETRY]


@add_options("prune")
@click.command(cls=GroupedHelp)
@click.pass_context
def prune(ctx: click.Context, /, **own: Any) -> None:
    """Delete old run history.

    Deletes runs, their counts and changes, and resolved rejected records that are older than --keep. Does not delete
    registry data, open rejected records, or the last complete run of each scope. It is safe to run during a sync.
    """
    settings = settings_of(ctx, **own)
    with imports_without_gc():
        from etl.cli.prune import prune_command
    prune_command(settings)


prune.params[1:1] = [each for each in options("sync") if each.name in {"dry_run", "output"}]
