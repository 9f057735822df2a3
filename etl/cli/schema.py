"""`tfy-etl schema`: the schema written down."""

import click

from etl import dictionary


def write_down(format: str) -> None:
    """Print it."""
    click.echo(dictionary.written(format))
