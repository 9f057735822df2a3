"""Write comments on tables, views and columns to the database, for SQL clients to show.

The comments are only in the mappings. No migration contains them: otherwise each change of a comment would need a new
migration. An upgrade to the newest revision writes the comments that differ, in the same transaction.
"""

from sqlalchemy import Connection, Table, inspect
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import SetColumnComment, SetTableComment
from sqlalchemy.sql.compiler import DDLCompiler

from etl.models import Base, views


class _SetViewComment(SetTableComment):
    """`COMMENT ON VIEW`, which SQLAlchemy does not provide."""


@compiles(_SetViewComment)
def _comment_on_view(element: _SetViewComment, compiler: DDLCompiler, **_: object) -> str:
    on_table: str = compiler.visit_set_table_comment(element)  # type: ignore[no-untyped-call]
    return on_table.replace("COMMENT ON TABLE", "COMMENT ON VIEW", 1)


def write(connection: Connection) -> None:
    """Write the comments that are missing or different; do nothing on SQLite, which has none.

    All tables and views must exist.
    """
    if not connection.dialect.supports_comments:
        return
    inspector = inspect(connection)
    relations = inspector.get_multi_table_comment(kind=ObjectKind.ANY)
    columns = inspector.get_multi_columns(kind=ObjectKind.ANY)
    for metadata, comment_on in ((Base.metadata, SetTableComment), (views.metadata, _SetViewComment)):
        for table in metadata.sorted_tables:
            if relations[None, table.name]["text"] != table.comment:
                connection.execute(comment_on(table))
            _write_columns(connection, table, {each["name"]: each["comment"] for each in columns[None, table.name]})


def _write_columns(connection: Connection, table: Table, found: dict[str, str | None]) -> None:
    for column in table.columns:
        if found[column.name] != column.comment:
            connection.execute(SetColumnComment(column))
