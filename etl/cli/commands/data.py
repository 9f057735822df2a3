"""Commands that read the copied data or describe it: changes, diff, report, export, explore, schema."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from etl.cli.lazy import imports_without_gc
from etl.cli.moment import MomentParam
from etl.cli.options import (
    Duration,
    complete_table,
    context_without_arguments,
    options,
    output_option,
    settings_of,
)
from etl.cli.version_number import VersionNumber
from etl.durations import MOMENT_FORMS
from etl.settings import Settings


@click.command(
    epilog="""
    \b
    tfy-etl changes --since 7d               the last seven days
    tfy-etl changes --since 2026-11-01       since a date, in UTC
    tfy-etl changes --model fraud-scorer     one model with its versions
    tfy-etl changes --output json | jq -r '.[].sentence'
    """,
)
@click.option("--since", type=MomentParam(), help=f"Show changes found at or after this moment: {MOMENT_FORMS}.")
@click.option("--until", type=MomentParam(), help=f"Show changes found before this moment: {MOMENT_FORMS}.")
@click.option("--run", "run_id", metavar="ID", help="Show the changes that this run found.")
@click.option(
    "--model", metavar="NAME", help="Show the changes of this model and its versions; its name, REPO/NAME, FQN or id."
)
@click.option(
    "--limit",
    type=click.IntRange(1, 2**31),
    show_default="100 with text, all with json",
    help="Number of changes to show, newest first.",
)
@output_option
@click.pass_context
def changes(ctx: click.Context, /, **which: Any) -> None:
    """Show what changed in the registry, in sentences.

    Changes are grouped by the run that found them, newest first. The text leaves out fields that change with every
    update, such as updated_at, and counts the versions of a new or deleted model; json has every recorded change.
    """
    with imports_without_gc():
        from etl.cli.changes import changes_command
    changes_command(settings_of(ctx), **which)


@click.command(
    epilog="""
    \b
    tfy-etl diff --from 7d                          seven days ago, and now
    tfy-etl diff --from 2026-11-01 --to 2026-12-01  two dates, in UTC
    tfy-etl diff fraud-scorer --from 7d             one model with its versions
    tfy-etl diff fraud-scorer --versions 3 5        two versions of a model
    tfy-etl diff --dry-run                          what sync would write
    """,
)
@click.argument("model", required=False)
@click.option("--from", "start", type=MomentParam(), help=f"Earlier moment: {MOMENT_FORMS}.")
@click.option("--to", "end", type=MomentParam(), show_default="now", help=f"Later moment: {MOMENT_FORMS}.")
@click.option(
    "--versions", type=VersionNumber(), nargs=2, metavar="A B", help="Compare two versions of MODEL, by number."
)
@click.option("--dry-run", is_flag=True, help="Compare with the source: show each change that sync would write.")
@click.option(
    "--limit",
    type=click.IntRange(1, 2**31),
    show_default="100 with text, all with json",
    help="Number of differences to show.",
)
@output_option
@click.pass_context
def diff(ctx: click.Context, /, model: str | None, output: str, **how: Any) -> None:
    """Show what differs between two moments, or two versions.

    One line for each difference, with names. A field that changed and changed back is not a difference. MODEL is a
    name, REPO/NAME, FQN or id. --to requires --from; --ml-repo and --full require --dry-run.
    """
    _check_options_of_diff(ctx)
    if how["versions"] and model is None:
        raise click.UsageError("--versions needs a MODEL.", ctx)
    if how["dry_run"] and model is not None:
        raise click.UsageError("--dry-run compares everything: leave out MODEL.", ctx)
    with imports_without_gc():
        from etl.cli.diff import diff_command
    settings = _settings_of_dry_run(ctx) if how["dry_run"] else settings_of(ctx)
    moments = (how["start"], how["end"])
    diff_command(settings, model, moments=moments, versions=how["versions"], limit=how["limit"], output=output)


diff.params[-2:-2] = [each for each in options("sync") if each.name in {"full", "ml_repo"}]


def _check_options_of_diff(ctx: click.Context) -> None:
    """Raise UsageError unless the command line names one comparison, and no option that it would ignore."""
    given = {name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if len(given & {"start", "versions", "dry_run"}) != 1:
        raise click.UsageError("Pass one of --from, --versions and --dry-run.", ctx)
    for name, option, needed, needed_option in (
        ("end", "--to", "start", "--from"),
        ("ml_repo", "--ml-repo", "dry_run", "--dry-run"),
        ("full", "--full", "dry_run", "--dry-run"),
    ):
        if name in given and needed not in given:
            raise click.BadOptionUsage(option, f"{option} requires {needed_option}: leave out {option}.", ctx)


def _settings_of_dry_run(ctx: click.Context) -> Settings:
    """The settings that `sync` would have now, except those that this command line changes."""
    own = context_without_arguments(ctx.find_root(), "sync").params
    for name in ("full", "ml_repo"):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            own[name] = ctx.params[name]
    return settings_of(ctx, **own | {"dry_run": True})


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    default="tfy-registry.html",
    show_default=True,
    metavar="FILE",
    help="HTML file to write, replaced atomically; - is stdout.",
)
@click.option(
    "--stale-after",
    type=Duration(),
    default="180d",
    show_default=True,
    help="Call a model stale if its newest version is older than this.",
)
@click.option(
    "--max-age",
    type=Duration(),
    default="24h",
    show_default=True,
    help="Show a warning if the last complete run is older than this.",
)
@click.pass_context
def report(ctx: click.Context, /, out: Path, **spans: timedelta) -> None:
    """Write an HTML report on the registry.

    The report is one self-contained HTML file. It shows what is in production and what moved, what needs attention,
    activity, growth, quality, metrics that got worse, and the freshness of the copy.
    """
    with imports_without_gc():
        from etl.cli.report import report_command
    report_command(settings_of(ctx), out, **spans)


@click.command(
    epilog="""
    \b
    tfy-etl export out                   Parquet, one file per table
    tfy-etl export --views out           the views too
    tfy-etl export --format duckdb out   one database file with types and comments
    tfy-etl export --format csv --table production_versions out
    """,
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    type=click.Choice(["parquet", "csv", "jsonl", "duckdb"]),
    default="parquet",
    show_default=True,
    help="File format; parquet and duckdb need the extra export.",
)
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_table,
    help="Export this table or view; repeatable. Default: all tables.",
)
@click.option("--views", is_flag=True, help="Export all views too; each can be computed from the tables again.")
@click.option("--raw", is_flag=True, help="With csv: do not escape text that a spreadsheet would run as a formula.")
@output_option
@click.pass_context
def export(ctx: click.Context, /, folder: Path, format: str, output: str, **how: Any) -> None:
    """Write the tables to files in a new folder.

    All files come from one snapshot of the database, even during a sync; manifest.json describes them. The folder is
    created atomically. It replaces an older export of the same name, but no other folder.
    """
    if how["raw"] and format != "csv":
        raise click.BadOptionUsage("--raw", "--raw requires --format csv", ctx)
    with imports_without_gc():
        from etl.cli.export import export_command
    export_command(settings_of(ctx), folder, format, output, **how)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8001,
    show_default=True,
    help="Port on the loopback address; 0 selects a free port.",
)
@click.option("--open/--no-open", "open_browser", default=False, help="Open the page in the browser.")
@click.pass_context
def explore(ctx: click.Context, port: int, *, open_browser: bool) -> None:
    """Browse a SQLite database in the web browser, until stopped.

    Shows tables and views with column descriptions, links between related records, and common queries. Access is
    read-only and limited to this machine. It is safe to use during a sync.
    """
    with imports_without_gc():
        from etl.cli.explore import explore_command
    explore_command(settings_of(ctx).database(), port, open_browser=open_browser)


@click.command()
@click.option(
    "--format",
    type=click.Choice(["markdown", "json", "mermaid", "dbt"]),
    default="markdown",
    show_default=True,
    help="Output format.",
)
@click.option(
    "--union",
    "schemas",
    multiple=True,
    metavar="SCHEMA",
    help="Print SQL instead: views over the tables of these PostgreSQL schemas; repeatable.",
)
@click.argument("names", metavar="[TABLE]...", nargs=-1, shell_complete=complete_table)
def schema(format: str, names: tuple[str, ...], schemas: tuple[str, ...]) -> None:
    """Describe each table, view and column.

    With names, describes only those tables and views.

    Formats: markdown is a data dictionary, json the same for programs, mermaid an entity-relationship diagram, and
    dbt a sources.yml with tests and freshness. Does not connect to a database.
    """
    with imports_without_gc():
        from etl.cli.schema import schema_command
    schema_command(format, names, schemas)
