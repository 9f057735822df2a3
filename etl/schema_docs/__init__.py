"""The schema written down for others, from the mappings alone: no database is asked.

schema_description   what is written down: tables, views, revision
markdown   a data dictionary to read
as_json    the same for programs
mermaid    the tables, and what refers to what, as a diagram
dbt        the tables and views as sources of dbt, with tests and freshness
"""

from etl.schema_docs import as_json, dbt, markdown, mermaid
from etl.schema_docs.schema_description import describe_schema

WRITERS = {"markdown": markdown.write, "json": as_json.write, "mermaid": mermaid.write, "dbt": dbt.write}


def render(format: str) -> str:
    """The schema of this release in one of the formats, without the last line's end."""
    return WRITERS[format](describe_schema())


__all__ = ["WRITERS", "describe_schema", "render"]
