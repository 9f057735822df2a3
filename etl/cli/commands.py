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
    tfy-etl sync                          the usual run, by cron or by hand
    tfy-etl sync --dry-run                what it would do, without writing
    tfy-etl sync --full                   do not trust updated_at, compare all
    tfy-etl sync --ml-repo 12             one ML repo alone
    tfy-etl sync --output json | jq .models.inserted

    Options of the connection, the database and the logs: tfy-etl --help. They may stand here too.
    """,
)
@click.pass_context
def sync(ctx: click.Context, /, **own: Any) -> None:
    """Read the registry and bring the database to the same state.

    A first run reads everything; later ones read all models, and the versions of those that look changed. Everything
    becomes visible in one commit, or nothing does.
    """
    settings = settings_of(ctx, **own)  # first: what is wrong with them is told at once
    with importing():
        from etl.cli.sync import run_and_tell
    run_and_tell(settings)


@click.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Test each link of the chain, and say what to do.

    Host, token, API, each of the three lists, database, schema, copy and lock get a line each. A list that is not
    offered, or not allowed, is no failure: the line says what will not be copied. Writes nothing. The exit code is
    that of the first failure.
    """
    with importing():
        from etl.cli.check import check_links
    check_links(settings_of(ctx))


@click.command()
@click.option(
    "--max-age", type=span, metavar="DURATION", help="Exit with 1 when the last complete run is older, such as 6h."
)
@click.option("--critical-age", type=span, metavar="DURATION", help="With --output nagios: CRITICAL when it is older.")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="Runs to show.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "nagios"]),
    default="text",
    show_default=True,
    help="How to print; nagios: the one line, and the exit codes, of a plugin.",
)
@click.pass_context
def status(ctx: click.Context, /, limit: int, output: str, **ages: timedelta | None) -> None:
    """Show the last runs and how fresh the tables are.

    As a plugin of Nagios it ends with 0 when they are fresh, 1 (WARNING) when they are older than --max-age, 2
    (CRITICAL) when older than --critical-age, and 3 (UNKNOWN) when the database does not tell.
    """
    if ages["critical_age"] is not None and output != "nagios":
        raise click.BadOptionUsage("--critical-age", "--critical-age goes with --output nagios", ctx)
    with importing():
        from etl.cli.status import check_like_nagios, show_status
    if output == "nagios":
        check_like_nagios(settings_of(ctx), **ages)
    show_status(settings_of(ctx), limit, output, max_age=ages["max_age"])


@click.group()
def rejected() -> None:
    """Show what could not be stored, and ask for it again."""


@rejected.command("list")
@click.option("--all", "also_resolved", is_flag=True, help="Also those that were stored since, or went.")
@click.option("--limit", type=click.IntRange(1, 2**31), default=50, show_default=True, help="Records to show.")
@output_option
@click.pass_context
def list_(ctx: click.Context, *, also_resolved: bool, limit: int, output: str) -> None:
    """List the records that could not be stored, newest first."""
    with importing():
        from etl.cli.rejected import show_all
    show_all(settings_of(ctx), limit, output, also_resolved=also_resolved)


@rejected.command()
@click.argument("reject_id", metavar="ID", type=_NUMBER)
@click.pass_context
def show(ctx: click.Context, reject_id: int) -> None:
    """Show one of them whole, as the control plane sent it."""
    with importing():
        from etl.cli.rejected import show_one
    show_one(settings_of(ctx), reject_id)


@rejected.command()
@click.argument("reject_ids", metavar="[ID]...", type=_NUMBER, nargs=-1)
@click.pass_context
def retry(ctx: click.Context, /, reject_ids: tuple[int, ...], **own: Any) -> None:
    """Ask for them again, now, and store what can be read.

    The control plane is asked for those of the numbers given, else for all that are open. It is a run of its own, and
    deletes nothing. Exit code 0 means that each was stored or is gone at the source, 3 that some are still rejected;
    the others are those of sync.
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
    """Delete what is old in the records of runs.

    Runs with their counts, changes, and rejected records that were resolved go once they are older than --keep. The
    registry's own tables are not touched, and neither are open rejected records and the last complete run of each
    scope. It may run beside a sync.
    """
    settings = settings_of(ctx, **own)
    with importing():
        from etl.cli.prune import prune_and_tell
    prune_and_tell(settings)


prune.params[1:1] = [each for each in options("sync") if each.name in {"dry_run", "output"}]


@click.group()
def db() -> None:
    """Create, migrate and check the database's schema."""


@db.command()
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create the tables and views, or bring them to this release's revision."""
    with importing():
        from etl.cli.db import upgrade_schema
    upgrade_schema(settings_of(ctx).database_url)


@db.command()
@click.pass_context
def current(ctx: click.Context) -> None:
    """Print the revision of the database, none without a schema."""
    with importing():
        from etl.cli.db import show_revision
    show_revision(settings_of(ctx).database_url)


@db.command("check")
@click.pass_context
def check_(ctx: click.Context) -> None:
    """Tell whether the schema is as this release needs it; exit code 2 if not."""
    with importing():
        from etl.cli.db import check_schema
    check_schema(settings_of(ctx).database_url)


@click.command()
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEMO_FILE,
    show_default=True,
    help="SQLite file to make; only one that has the default's name is replaced.",
)
@click.pass_context
def demo(ctx: click.Context, file: Path) -> None:
    """See it work on a simulated registry; no account is needed.

    It is synced into SQLite, changed, and synced again. No network is used beyond this machine.
    """
    with importing():
        from etl.cli.demo import tell_the_story
    if ctx.find_root().get_parameter_source("log_level") is ParameterSource.DEFAULT:
        logging.getLogger().setLevel(logging.WARNING)  # the story is told on stdout
    tell_the_story(file, progress=settings_of(ctx).progress)


class _NamesFaults(click.Command):
    """A command whose help ends with the faults that there are."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from etl.simulator import FAULTS

        self.epilog = (
            f"Faults: {', '.join(sorted(FAULTS))}; such as --fault flaky_500:503,every=3,times=2. With after=5, a "
            "fault spares the first five requests to its endpoint: "
            "--fault not_offered:404,endpoint=model-versions,after=5."
        )
        super().format_epilog(ctx, formatter)


@click.command(cls=_NamesFaults)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default="a free one",
    help="Port on the loopback address.",
)
@click.option("--ml-repos", type=click.IntRange(min=1), default=3, show_default=True, help="ML repos to make up.")
@click.option("--models", type=_COUNT, default=40, show_default=True, help="Models to make up.")
@click.option("--versions", type=_COUNT, default=5, show_default=True, help="Versions of each model.")
@click.option("--metrics", type=_COUNT, default=10, show_default=True, help="Metrics of each version.")
@click.option("--seed", default=0, show_default=True, help="The same seed makes the same registry.")
@click.option(
    "--latency", type=click.FloatRange(min=0), default=0.0, show_default=True, help="Seconds before each answer."
)
@click.option(
    "--max-limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Largest page that is served."
)
@click.option(
    "--offers",
    metavar="LISTS",
    default="ml-repos,models,model-versions",
    show_default=True,
    help="Lists that the control plane offers, separated by commas.",
)
@click.option(
    "--forbids", metavar="LISTS", default="", help="Lists that the token may not read (403), separated by commas."
)
@click.option(
    "--not-offered",
    type=click.Choice(("404", "405", "410", "501", "html")),
    default="404",
    show_default=True,
    help="Status with which other lists answer; html is an HTML page with status 200.",
)
@click.option("--fault", "faults", multiple=True, help="A fault by name; may be repeated.")
def simulate(**own: Any) -> None:
    """Serve a made-up registry over HTTP until stopped.

    The token is what TFY_API_KEY holds, else demo-token.
    """
    with importing():
        from etl.cli.simulate import serve
    serve(**own)
