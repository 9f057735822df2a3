"""The commands as a user meets them: what each takes, and what it says of itself."""

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from etl.cli.late import importing
from etl.cli.options import GroupedHelp, add_options, options, output_option, settings_of, span
from etl.settings import DEMO_FILE

_NUMBER = click.IntRange(1, 2**63 - 1)
_COUNT = click.IntRange(min=0)


@add_options("sync")
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
    with importing():
        from etl.cli.sync import run_and_tell
    run_and_tell(settings)


@click.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Test the connection, the token, the lists and the database.

    Prints one line for each check: host, token, API, three lists, database, schema, copy and lock. A list that is not
    offered or not allowed is not a failure: its line says what will not be copied. Writes nothing. Exits with the
    code of the first failed check.
    """
    with importing():
        from etl.cli.check import check_links
    check_links(settings_of(ctx))


@click.command()
@click.option(
    "--max-age",
    type=span,
    metavar="DURATION",
    help="Exit with 1 if the last complete run is older than this, such as 6h.",
)
@click.option(
    "--critical-age",
    type=span,
    metavar="DURATION",
    help="With --output nagios: report CRITICAL if it is older than this.",
)
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="Number of runs to show.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "nagios"]),
    default="text",
    show_default=True,
    help="Output format; nagios prints one line and exits as a Nagios plugin does.",
)
@click.pass_context
def status(ctx: click.Context, /, limit: int, output: str, **ages: timedelta | None) -> None:
    """Show the last runs and the age of the tables.

    With --output nagios, the exit code is 0 (OK), 1 (WARNING) if the last complete run is older than --max-age, 2
    (CRITICAL) if it is older than --critical-age, and 3 (UNKNOWN) if the database gives no answer.
    """
    if ages["critical_age"] is not None and output != "nagios":
        raise click.BadOptionUsage("--critical-age", "--critical-age requires --output nagios", ctx)
    with importing():
        from etl.cli.status import check_like_nagios, show_status
    if output == "nagios":
        check_like_nagios(settings_of(ctx), **ages)
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
    with importing():
        from etl.cli.rejected import show_all
    show_all(settings_of(ctx), limit, output, also_resolved=also_resolved)


@rejected.command()
@click.argument("reject_id", metavar="ID", type=_NUMBER)
@click.pass_context
def show(ctx: click.Context, reject_id: int) -> None:
    """Show one rejected record as the control plane sent it."""
    with importing():
        from etl.cli.rejected import show_one
    show_one(settings_of(ctx), reject_id)


@rejected.command()
@click.argument("reject_ids", metavar="[ID]...", type=_NUMBER, nargs=-1)
@click.pass_context
def retry(ctx: click.Context, /, reject_ids: tuple[int, ...], **own: Any) -> None:
    """Fetch rejected records again, and store those that are valid now.

    Retries the records with the given ids, or else all open ones. The retry is a run of its own, and deletes
    nothing. Exit code 0 means that each record was stored or no longer exists, 3 that some are still rejected. The
    other exit codes are those of sync.
    """
    settings = settings_of(ctx, **own)
    with importing():
        from etl.cli.retry import ask_again
    ask_again(settings, reject_ids)


retry.params[:0] = [each for each in options("sync") if each.name in {"lock_wait", "output"}]


@add_options("prune")
@click.command(cls=GroupedHelp)
@click.pass_context
def prune(ctx: click.Context, /, **own: Any) -> None:
    """Delete old run history.

    Deletes runs, their counts and changes, and resolved rejected records that are older than --keep. Does not delete
    registry data, open rejected records, or the last complete run of each scope. It is safe to run during a sync.
    """
    settings = settings_of(ctx, **own)
    with importing():
        from etl.cli.prune import prune_and_tell
    prune_and_tell(settings)


prune.params[1:1] = [each for each in options("sync") if each.name in {"dry_run", "output"}]


@click.group()
def db() -> None:
    """Create, migrate and check the database schema."""


@db.command()
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create the tables and views, or migrate them to this release's revision."""
    with importing():
        from etl.cli.db import upgrade_schema
    upgrade_schema(settings_of(ctx).database_url)


@db.command()
@click.pass_context
def current(ctx: click.Context) -> None:
    """Print the schema revision of the database, or none."""
    with importing():
        from etl.cli.db import show_revision
    show_revision(settings_of(ctx).database_url)


@db.command("check")
@click.pass_context
def check_(ctx: click.Context) -> None:
    """Check that the schema matches this release.

    Exits with 2 if it does not.
    """
    with importing():
        from etl.cli.db import check_schema
    check_schema(settings_of(ctx).database_url)


@click.command()
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEMO_FILE,
    show_default=True,
    help="SQLite file to create; an existing file is replaced only if it has the default name.",
)
@click.pass_context
def demo(ctx: click.Context, file: Path) -> None:
    """Try a sync with a simulated registry, without account.

    Syncs the simulated registry into SQLite, changes it, and syncs it again. Connects only to this machine.
    """
    with importing():
        from etl.cli.demo import tell_the_story
    if ctx.find_root().get_parameter_source("log_level") is ParameterSource.DEFAULT:
        logging.getLogger().setLevel(logging.WARNING)  # the demo prints its result on stdout
    tell_the_story(file, progress=settings_of(ctx).progress)


class _NamesFaults(click.Command):
    """A command whose help lists the faults that exist."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from etl.simulator import FAULTS

        self.epilog = (
            f"Faults: {', '.join(sorted(FAULTS))}. Example: --fault flaky_500:503,every=3,times=2. With after=5, a "
            "fault skips the first five requests to its endpoint: "
            "--fault not_offered:404,endpoint=model-versions,after=5."
        )
        super().format_epilog(ctx, formatter)


@click.command(cls=_NamesFaults)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default="a free port",
    help="Port on the loopback address.",
)
@click.option("--ml-repos", type=click.IntRange(min=1), default=3, show_default=True, help="Number of ML repos.")
@click.option("--models", type=_COUNT, default=40, show_default=True, help="Number of models.")
@click.option("--versions", type=_COUNT, default=5, show_default=True, help="Versions per model.")
@click.option("--metrics", type=_COUNT, default=10, show_default=True, help="Metrics per version.")
@click.option("--seed", default=0, show_default=True, help="Random seed; the same seed gives the same registry.")
@click.option(
    "--latency",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Seconds to wait before each response.",
)
@click.option(
    "--max-limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Maximum records per page."
)
@click.option(
    "--offers",
    metavar="LISTS",
    default="ml-repos,models,model-versions",
    show_default=True,
    help="Lists that the control plane offers, comma-separated.",
)
@click.option(
    "--forbids", metavar="LISTS", default="", help="Lists that the token may not read (403), comma-separated."
)
@click.option(
    "--not-offered",
    type=click.Choice(("404", "405", "410", "501", "html")),
    default="404",
    show_default=True,
    help="Response of the other lists: an HTTP status, or an HTML page with status 200.",
)
@click.option("--fault", "faults", multiple=True, help="Fault to inject; repeatable.")
def simulate(**own: Any) -> None:
    """Serve a simulated registry over HTTP until stopped.

    Accepts the token in TFY_API_KEY, or else demo-token.
    """
    with importing():
        from etl.cli.simulate import serve
    serve(**own)
