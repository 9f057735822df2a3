"""`tfy-etl db`: the schema's revision."""

import click

from etl.cli.options import settings_of
from etl.store import opened, schema


@click.group()
def db() -> None:
    """Create, migrate and check the database's schema."""


@db.command()
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Create the tables and views, or bring them to this release's revision."""
    with opened(settings_of(ctx).database_url) as engine:
        before = schema.current(engine)
        schema.upgrade(engine)
        after = schema.current(engine)
    if before == after:
        click.echo(f"The schema is at revision {after} already.")
    else:
        click.echo(f"Migrated from {before} to {after}." if before else f"Created at revision {after}.")


@db.command()
@click.pass_context
def current(ctx: click.Context) -> None:
    """Print the revision of the database, none without a schema."""
    with opened(settings_of(ctx).database_url, read_only=True) as engine:
        click.echo(schema.current(engine) or "none")


@db.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """Tell whether the schema is as this release needs it; exit code 2 if not."""
    with opened(settings_of(ctx).database_url, read_only=True) as engine:
        schema.check(engine)
        click.echo(f"The schema is at revision {schema.head()}, as this release needs it.")
