"""`tfy-etl schema`: the schema written down."""

import click

from etl import dictionary


def schema_command(format: str) -> None:
    """Print it."""
    click.echo(dictionary.written(format))
