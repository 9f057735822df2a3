"""`tfy-etl schema`: print the documentation of the schema."""

from collections.abc import Collection

import click

from etl import schema_docs


def schema_command(format: str, names: Collection[str]) -> None:
    """Print the documentation, or that of the named tables and views, in a format."""
    click.echo(schema_docs.render(format, names))
