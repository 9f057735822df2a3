"""`tfy-etl db`: the schema's revision."""

import click

from etl.cli.output import print_result
from etl.store import opened, schema


def upgrade_schema(database_url: str) -> None:
    """Migrate, and say from where to where."""
    with opened(database_url) as engine:
        before = schema.current(engine)
        schema.upgrade(engine)
        after = schema.current(engine)
    done = f"Migrated from {before} to {after}." if before else f"Created at revision {after}."
    if before == after:
        done = f"The schema is already at revision {after}."
    print_result(lambda: click.echo(done), work_done=True)


def show_revision(database_url: str) -> None:
    """Print where the database is."""
    with opened(database_url, read_only=True) as engine:
        click.echo(schema.current(engine) or "none")


def check_schema(database_url: str) -> None:
    """Say that the schema is as it should be; else SchemaMismatch."""
    with opened(database_url, read_only=True) as engine:
        schema.check(engine)
        click.echo(f"The schema matches this release: revision {schema.head()}.")
