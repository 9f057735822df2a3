"""`tfy-etl schema`: print the documentation of the schema."""

from collections.abc import Collection, Sequence

import click

from etl import schema_docs


def schema_command(format: str, names: Collection[str], schemas: Sequence[str]) -> None:
    """Print the documentation of all or the named tables and views, or SQL views over them in these schemas."""
    click.echo(schema_docs.render_union(schemas, names) if schemas else schema_docs.render(format, names))
