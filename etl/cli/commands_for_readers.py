"""The commands for those who look at the copy: what each takes, and what it says of itself."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from etl.cli.late import importing
from etl.cli.options import output_option, settings_of, span


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    required=True,
    metavar="FILE",
    help="HTML file to write, replaced in one step; - is stdout.",
)
@click.option(
    "--stale-after",
    type=span,
    default="180d",
    show_default=True,
    metavar="DURATION",
    help="A model without a new version for longer is stale.",
)
@click.option(
    "--max-age",
    type=span,
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="The page warns when the last complete run is older.",
)
@click.pass_context
def report(ctx: click.Context, /, out: Path, **spans: timedelta) -> None:
    """Make a page on the registry, for people who do not write SQL.

    One file of HTML that needs nothing beside itself: what there is and how it moved, what is in production, what is
    stale or undocumented and what to do about it, and whether the figures can be trusted.
    """
    with importing():
        from etl.cli.report import make_and_tell
    make_and_tell(settings_of(ctx), out, **spans)


@click.command(
    epilog="""
    \b
    tfy-etl export out                   Parquet, a file for each table and view
    tfy-etl export --format duckdb out   one file, typed and commented
    tfy-etl export --format csv --table production_versions out
    """,
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    type=click.Choice(["parquet", "csv", "jsonl", "duckdb"]),
    default="parquet",
    show_default=True,
    help="What kind of files; parquet and duckdb need tfy-etl[export].",
)
@click.option(
    "--table", "tables", multiple=True, metavar="NAME", help="Only this table or view; may be repeated. All by default."
)
@click.option("--raw", is_flag=True, help="With csv: leave text as it is that a spreadsheet takes for a formula.")
@output_option
@click.pass_context
def export(ctx: click.Context, /, folder: Path, format: str, output: str, **how: Any) -> None:
    """Write all tables and views into files in a new folder.

    The files are of one moment, whatever runs meanwhile, and manifest.json beside them tells what they are. The
    folder appears whole or not at all; an older export in its place is replaced, and nothing else is.
    """
    if how["raw"] and format != "csv":
        raise click.BadOptionUsage("--raw", "--raw goes with --format csv", ctx)
    with importing():
        from etl.cli.export import export_and_tell
    export_and_tell(settings_of(ctx), folder, format, output, **how)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8001,
    show_default=True,
    help="Port on the loopback address; 0 takes a free one.",
)
@click.option("--open/--no-open", "open_browser", default=False, help="Open it in the browser at once.")
@click.pass_context
def explore(ctx: click.Context, port: int, *, open_browser: bool) -> None:
    """Look at a SQLite database in the browser, until stopped.

    Tables and views with what their columns mean, links from each record to those that belong to it, and questions
    that are asked often. Nothing can be written, and only this machine can look. Runs may write meanwhile.
    """
    with importing():
        from etl.cli.explore import show_in_browser
    show_in_browser(settings_of(ctx).database_url, port, open_browser=open_browser)


@click.command()
@click.option(
    "--format",
    type=click.Choice(["markdown", "json", "mermaid", "dbt"]),
    default="markdown",
    show_default=True,
    help="How to write it down.",
)
def schema(format: str) -> None:
    """Print what each table, view and column is.

    As markdown it is a data dictionary to read, as json the same for programs, as mermaid an entity-relationship
    diagram, as dbt a sources.yml with tests and freshness. No database is asked.
    """
    with importing():
        from etl.cli.schema import write_down
    write_down(format)
