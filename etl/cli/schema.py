"""`tfy-etl schema`: print the documentation of the schema."""

import click

from etl import dictionary


def schema_command(format: str) -> None:
    """Print the schema in a format."""
    click.echo(dictionary.written(format))
