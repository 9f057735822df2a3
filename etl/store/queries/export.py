"""The rows of all tables and views, for exports and reports.

Values are Python's str, int, float, bool and aware datetime; a JSON column is JSON text. All reads within one
`snapshot` see the same state, even if runs commit at the same time.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import BigInteger, Boolean, Column, ColumnElement, Connection, Double, Table, cast, select, type_coerce
from sqlalchemy.types import TypeEngine

from etl.models import Base, SyncRun, views
from etl.models.types import JsonText, RegistryJson, UtcDateTime
from etl.store.engine import dialect_of

Kind = Literal["text", "integer", "number", "boolean", "moment", "json"]
"""The type of a column's values; `number` is a double."""

Row = tuple[Any, ...]

CHUNK_ROWS = 20_000
CHUNK_BYTES = 8 * 1024 * 1024
"""The limits of a chunk: it never exceeds the rows, and exceeds the bytes of text only slightly."""

# Rows in one fetch. Their size is known only after the fetch: 200 rows of 300 kB are 60 MB.
_FETCHED_ROWS = 200

_KINDS: tuple[tuple[type[TypeEngine[Any]], Kind], ...] = (
    (RegistryJson, "json"),
    (UtcDateTime, "moment"),
    (Boolean, "boolean"),
    (BigInteger, "integer"),
    (Double, "number"),
)


class Field(NamedTuple):
    """A column, as the mappings describe it."""

    name: str
    kind: Kind
    nullable: bool
    comment: str


class Content(NamedTuple):
    """A table or view, as the mappings describe it."""

    name: str
    is_view: bool
    comment: str
    fields: tuple[Field, ...]


class RunInfo(NamedTuple):
    """The columns of a run that show how old a copy is."""

    id: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    complete: bool


@cache
def tables_and_views() -> Mapping[str, Content]:
    """Return all tables and views by name: referenced tables before others, views last."""
    described = (
        (is_view, table)
        for is_view, metadata in ((False, Base.metadata), (True, views.metadata))
        for table in metadata.sorted_tables
    )
    return {
        table.name: Content(table.name, is_view, table.comment or "", tuple(map(_field, table.columns)))
        for is_view, table in described
    }


@contextmanager
def snapshot(connection: Connection) -> Iterator[datetime]:
    """Begin a read-only transaction that sees one state.

    Yields the state's time, by the database's clock.
    """
    with connection.begin():
        dialect = dialect_of(connection.engine.url)
        dialect.begin_snapshot(connection)
        # In SQLite the snapshot begins with the first read of a table, so this query reads one.
        any_run = select(SyncRun.id).limit(1).scalar_subquery()
        now, _ = connection.execute(select(type_coerce(dialect.now, UtcDateTime), any_run)).one()
        yield now


def rows(connection: Connection, name: str, chunk: int = CHUNK_ROWS) -> Iterator[list[Row]]:
    """Yield the rows of a table in key order, or of a view unordered, in bounded chunks."""
    table = _table(name)
    texts = [place for place, each in enumerate(tables_and_views()[name].fields) if each.kind in {"text", "json"}]
    query = select(*map(_selected, table.columns)).order_by(*table.primary_key)
    with closing(connection.execute(query, execution_options={"stream_results": True})) as result:
        held, size = list[Row](), 0
        while fetched := result.fetchmany(min(chunk - len(held), _FETCHED_ROWS)):
            held += map(tuple, fetched)
            size += sum(len(row[place] or "") for row in fetched for place in texts)
            if len(held) == chunk or size >= CHUNK_BYTES:
                yield held
                held, size = [], 0
        if held:
            yield held


def newest_run(connection: Connection, *, complete: bool = False) -> RunInfo | None:
    """Return the run that started last, of all runs or of the complete ones."""
    columns: list[Any] = [SyncRun.__table__.c[name] for name in RunInfo._fields]
    query = select(*columns).order_by(SyncRun.started_at.desc(), SyncRun.id).limit(1)
    found = connection.execute(query.where(SyncRun.complete) if complete else query).first()
    return None if found is None else RunInfo(*found)


def _table(name: str) -> Table:
    metadata = views.metadata if tables_and_views()[name].is_view else Base.metadata
    return metadata.tables[name]


def _field(column: Column[Any]) -> Field:
    kind: Kind = next((kind for type_, kind in _KINDS if isinstance(column.type, type_)), "text")
    return Field(column.name, kind, bool(column.nullable), column.comment or "")


def _selected(column: Column[Any]) -> ColumnElement[Any]:
    """Return the column as the query selects it."""
    if isinstance(column.type, RegistryJson):
        # Text saves parsing and serializing the JSON.
        return cast(column, JsonText).label(column.name)
    return column
