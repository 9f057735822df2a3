"""The schema as JSON. A `format` number keeps its meaning; new fields may be added to it."""

import json
from typing import Any

from etl.models.describe import ColumnDescription, RelationDescription
from etl.schema_docs.schema_description import SchemaDescription

FORMAT = 1
"""Increases when a field changes its meaning or is removed."""


def write(schema: SchemaDescription) -> str:
    """Render the schema as one JSON object."""
    return json.dumps(
        {
            "format": FORMAT,
            "release": schema.release,
            "revision": schema.revision,
            "tables": [_relation(table) | {"primary_key": list(table.key)} for table in schema.tables],
            "views": [_relation(view) for view in schema.views],
        },
        ensure_ascii=False,
        indent=2,
    )


def _relation(relation: RelationDescription) -> dict[str, Any]:
    columns = [_column(column) for column in relation.columns]
    return {"name": relation.name, "description": relation.description, "columns": columns}


def _column(column: ColumnDescription) -> dict[str, Any]:
    """Describe a column; `nullable` is null in views, `values` is null if any value is allowed."""
    return {
        "name": column.name,
        "description": column.description,
        "types": {"postgresql": column.postgresql, "sqlite": column.sqlite},
        "nullable": column.nullable,
        "refers_to": vars(column.refers_to) if column.refers_to else None,
        "values": list(column.one_of) or None,
    }
