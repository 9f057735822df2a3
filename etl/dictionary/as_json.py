"""The schema for programs. What a `format` means does not change; more fields may come."""

import json
from typing import Any

from etl.dictionary.contents import Contents
from etl.models.described import Described, DescribedColumn

FORMAT = 1
"""Goes up when a field changes its meaning or goes."""


def write(contents: Contents) -> str:
    """One object."""
    return json.dumps(
        {
            "format": FORMAT,
            "release": contents.release,
            "revision": contents.revision,
            "tables": [_relation(table) | {"primary_key": list(table.key)} for table in contents.tables],
            "views": [_relation(view) for view in contents.views],
        },
        ensure_ascii=False,
        indent=2,
    )


def _relation(relation: Described) -> dict[str, Any]:
    columns = [_column(column) for column in relation.columns]
    return {"name": relation.name, "description": relation.description, "columns": columns}


def _column(column: DescribedColumn) -> dict[str, Any]:
    """`nullable` is null where only the database could tell, in views; `values` where any may come."""
    return {
        "name": column.name,
        "description": column.description,
        "types": {"postgresql": column.postgresql, "sqlite": column.sqlite},
        "nullable": column.nullable,
        "refers_to": vars(column.refers_to) if column.refers_to else None,
        "values": list(column.one_of) or None,
    }
