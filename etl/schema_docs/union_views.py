"""SQL that creates views over the tables of several control planes in one PostgreSQL database."""

from collections.abc import Sequence

from etl.models.describe import RelationDescription
from etl.schema_docs.schema_description import SchemaDescription

CONTROL_PLANE = "control_plane"
"""The first column of each view: the schema that a row comes from."""


def write(of: SchemaDescription, schemas: Sequence[str]) -> str:
    """Write one view for each table and view: the rows of all these schemas, with the schema's name first."""
    return "\n\n".join(_view(relation, schemas) for relation in (*of.tables, *of.views))


def _view(relation: RelationDescription, schemas: Sequence[str]) -> str:
    name, columns = _identifier(relation.name), ", ".join(_identifier(column.name) for column in relation.columns)
    parts = (
        f"SELECT {_literal(schema)} AS {CONTROL_PLANE}, {columns} FROM {_identifier(schema)}.{name}"  # noqa: S608 quoted names
        for schema in schemas
    )
    return f"CREATE OR REPLACE VIEW {name} AS\n" + "\nUNION ALL\n".join(parts) + ";"


def _identifier(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _literal(text: str) -> str:
    return "'{}'::text".format(text.replace("'", "''"))
