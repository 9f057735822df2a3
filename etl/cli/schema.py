"""`tfy-etl schema`: print the documentation of the schema."""

import click

from etl import schema_docs


def write_down(format: str) -> None:
    """Print it."""
    click.echo(schema_docs.render(format))
