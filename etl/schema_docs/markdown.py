"""A data dictionary in Markdown: the purpose of each table, and the content of its columns."""

from collections.abc import Iterable, Iterator

from etl.models.describe import ColumnDescription, RelationDescription
from etl.schema_docs import mermaid
from etl.schema_docs.schema_description import SchemaDescription

_BEFORE = """\
# The schema

Every table and view at revision {revision}, as `tfy-etl schema` prints them. With `--format` it prints the same as
JSON, as a Mermaid diagram with every column, or as dbt sources. In PostgreSQL the descriptions are comments, too:
psql shows them by `\\d+ models`.

Types are those of PostgreSQL. SQLite has a `timestamp with time zone` as text, `YYYY-MM-DD HH:MM:SS.ffffff` in UTC,
which sorts as time does; `jsonb` as text, for its JSON functions; `boolean` as 0 or 1.

Where a reference is only *by id*, no foreign key holds it: the source may list a version whose model it does not
list. A character that databases refuse in text (NUL, lone surrogates) is stored as `␛` and its four hexadecimal
digits, and so is `␛` itself; a number that JSON does not have is text in JSON, such as `␛NaN`.
"""


def write(schema: SchemaDescription) -> str:
    """Render the document; for a part of the schema, only the sections of its tables and views."""
    if schema.partial:
        return "\n".join([*_tables(schema.tables), *_views(schema.views)]).rstrip()
    lines = [
        _BEFORE.format(revision=schema.revision),
        "```mermaid",
        mermaid.write(schema, keys_only=True),
        "```\n",
        "## Tables\n",
        *_tables(schema.tables),
        "## Views\n",
        *_views(schema.views),
    ]
    return "\n".join(lines).rstrip()


def _tables(tables: Iterable[RelationDescription]) -> Iterator[str]:
    for table in tables:
        yield from (f"### {table.name}", "", table.description, "")
        yield from _grid(("column", "type", "NULL", "key", "refers to", "is"), map(_row, table.columns))


def _views(views: Iterable[RelationDescription]) -> Iterator[str]:
    for view in views:
        yield from (f"### {view.name}", "", view.description, "")
        rows = ((f"`{each.name}`", each.postgresql, each.description) for each in view.columns)
        yield from _grid(("column", "type", "is"), rows)


def _row(column: ColumnDescription) -> tuple[str, ...]:
    to = column.refers_to
    refers_to = f"[{to.table}](#{to.table}).{to.column}{'' if to.enforced else ', by id'}" if to else ""
    may_be_null, key = "yes" if column.nullable else "", "yes" if column.key else ""
    return (f"`{column.name}`", column.postgresql, may_be_null, key, refers_to, column.description)


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""
