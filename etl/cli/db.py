"""`tfy-etl db`: manage the schema of the database."""

import click

from etl.cli.output import print_result
from etl.cli.sanitize import sanitize
from etl.settings import Settings
from etl.store import Vocabulary, describe_database, engine_scope, schema


def upgrade_schema(settings: Settings) -> None:
    """Migrate the schema, write the words that settings name, and print both revisions.

    First create the schema that `--schema` names.
    """
    words = Vocabulary(*settings.words())
    with engine_scope(settings.database()) as engine:
        if settings.schema:
            schema.create_namespace(engine, settings.schema)
        before = schema.current(engine)
        schema.upgrade(engine, words=words)
        after = schema.current(engine)
        database = describe_database(engine, settings.database())
    message = f"Migrated from {before} to {after}" if before else f"Created at revision {after}"
    if before == after:
        message = f"The schema is already at revision {after}"
    message = f"{message}: {sanitize(database)}."
    if words.production is not None:
        message += f"\nTags and aliases that mean production: {sanitize(', '.join(words.production))}."
    print_result(lambda: click.echo(message), work_done=True)


def show_revision(database_url: str) -> None:
    """Print the revision of the database."""
    with engine_scope(database_url, read_only=True) as engine:
        click.echo(schema.current(engine) or "none")


def check_schema(database_url: str) -> None:
    """Confirm that the schema matches this release. Raises SchemaMismatch."""
    with engine_scope(database_url, read_only=True) as engine:
        schema.check(engine)
        click.echo(f"The schema matches this release: revision {schema.head()}.")
