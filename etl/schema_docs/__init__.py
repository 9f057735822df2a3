"""Documentation of the schema in several formats, generated from the mappings without a database.

`schema_description`  Tables, views and revision, from the mappings.
`markdown`            A data dictionary to read.
`as_json`             The same for programs.
`mermaid`             An entity-relationship diagram.
`dbt`                 Dbt sources, with tests and freshness.
`union_views`         SQL views over the tables of several control planes.
"""

from collections.abc import Collection, Sequence

from etl.schema_docs import as_json, dbt, markdown, mermaid, union_views
from etl.schema_docs.schema_description import describe_schema, without_outer_references

WRITERS = {"markdown": markdown.write, "json": as_json.write, "mermaid": mermaid.write, "dbt": dbt.write}


def render(format: str, names: Collection[str] = ()) -> str:
    """Render the schema of this release, or only the named tables and views, without a final newline."""
    schema = describe_schema(names)
    return WRITERS[format](without_outer_references(schema) if format in {"mermaid", "dbt"} else schema)


def render_union(schemas: Sequence[str], names: Collection[str] = ()) -> str:
    """Render SQL views over the tables of several PostgreSQL schemas, or only over the named ones."""
    return union_views.write(describe_schema(names), schemas)


__all__ = ["WRITERS", "describe_schema", "render", "render_union"]
