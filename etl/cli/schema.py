"""`tfy-etl schema`: print the documentation of the schema."""

import click

from etl import schema_docs


def schema_command(format: str) -> None:
    """Print the documentation in a format."""
    click.echo(schema_docs.render(format))
