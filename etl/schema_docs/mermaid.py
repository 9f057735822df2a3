"""The tables and their references as a Mermaid entity-relationship diagram.

A reference without a foreign key is a dashed line.
"""

from collections.abc import Iterator

from etl.models.describe import ColumnDescription, RelationDescription
from etl.schema_docs.schema_description import SchemaDescription

# Mermaid accepts types of one word only.
_TYPES = {"timestamp with time zone": "timestamptz", "double precision": "double"}


def write(schema: SchemaDescription, *, keys_only: bool = False) -> str:
    """Render the diagram; `keys_only` leaves out columns that are neither keys nor references."""
    lines = ["erDiagram"]
    for table in schema.tables:
        lines += _lines_to_others(table)
    for table in schema.tables:
        shown = [column for column in table.columns if column.key or column.refers_to or not keys_only]
        lines += [f"    {table.name} {{", *map(_attribute, shown), "    }"]
    return "\n".join(lines)


def _lines_to_others(table: RelationDescription) -> Iterator[str]:
    for column in table.columns:
        if to := column.refers_to:
            one = "|o" if column.nullable else "||"
            many = "o|" if table.key == (column.name,) else "o{"
            yield f"    {to.table} {one}{'--' if to.enforced else '..'}{many} {table.name} : {column.name}"


def _attribute(column: ColumnDescription) -> str:
    keys = ", ".join([*(["PK"] if column.key else []), *(["FK"] if column.refers_to else [])])
    return f"        {_TYPES.get(column.postgresql, column.postgresql)} {column.name} {keys}".rstrip()
