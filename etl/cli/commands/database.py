"""The commands that manage the schema: db upgrade, db current, db check."""

from typing import Any

import click

from etl.cli.lazy import imports_without_gc
from etl.cli.options import add_options, settings_of


@click.group()
def db() -> None:
    """Create, migrate and check the tables and views."""


@db.command()
@click.pass_context
def upgrade(ctx: click.Context, /, **own: Any) -> None:
    """Create the tables and views, or migrate them.

    Brings a database of any earlier release to the revision that this release needs. Creates the PostgreSQL
    schema that --schema names.
    """
    settings = settings_of(ctx, **own)
    with imports_without_gc():
        from etl.cli.db import upgrade_schema
    upgrade_schema(settings)


add_options("words")(upgrade)


@db.command()
@click.pass_context
def current(ctx: click.Context) -> None:
    """Print the revision of the tables, or none."""
    with imports_without_gc():
        from etl.cli.db import show_revision
    show_revision(settings_of(ctx).database())


@db.command("check")
@click.pass_context
def check_(ctx: click.Context) -> None:
    """Check that the tables and views are those of this release.

    Exits with 2 if it does not.
    """
    with imports_without_gc():
        from etl.cli.db import check_schema
    check_schema(settings_of(ctx).database())
