"""What all tables and views hold, row by row, for those who take it elsewhere: files, reports.

Values come decoded, as Python's str, int, float, bool and aware datetime; a column of JSON as JSON text. What is read
within one `snapshot` is of one moment, whatever runs commit meanwhile.
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
from etl.store.engine import database_of

Kind = Literal["text", "integer", "number", "boolean", "moment", "json"]
"""What a column holds; `number` is a double."""

Row = tuple[Any, ...]

CHUNK_ROWS = 20_000
CHUNK_BYTES = 8 * 1024 * 1024
"""A chunk holds no more rows than that, and little more text."""

# What is fetched at once can be counted only when it is there: 200 rows of 300 kB are 60 MB.
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


class RunTold(NamedTuple):
    """As much of a run as tells how old a copy is."""

    id: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    complete: bool


@cache
def tables_and_views() -> Mapping[str, Content]:
    """All of them by name, those first that others point to; the views last."""
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
    """One transaction that only reads: all that is read in it agrees. Tells the moment, by the database's clock."""
    with connection.begin():
        database = database_of(connection.engine.url)
        database.begin_snapshot(connection)
        # SQLite fixes what is seen at the first look, and this is one.
        any_run = select(SyncRun.id).limit(1).scalar_subquery()
        now, _ = connection.execute(select(type_coerce(database.NOW, UtcDateTime), any_run)).one()
        yield now


def rows(connection: Connection, name: str, chunk: int = CHUNK_ROWS) -> Iterator[list[Row]]:
    """The rows of a table, in the order of its key, or of a view, in no order; a bounded number at a time."""
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


def newest_run(connection: Connection, *, complete: bool = False) -> RunTold | None:
    """The run that started last, of all or of the complete ones."""
    columns: list[Any] = [SyncRun.__table__.c[name] for name in RunTold._fields]
    query = select(*columns).order_by(SyncRun.started_at.desc(), SyncRun.id).limit(1)
    found = connection.execute(query.where(SyncRun.complete) if complete else query).first()
    return None if found is None else RunTold(*found)


def _table(name: str) -> Table:
    metadata = views.metadata if tables_and_views()[name].is_view else Base.metadata
    return metadata.tables[name]


def _field(column: Column[Any]) -> Field:
    kind: Kind = next((kind for type_, kind in _KINDS if isinstance(column.type, type_)), "text")
    return Field(column.name, kind, bool(column.nullable), column.comment or "")


def _selected(column: Column[Any]) -> ColumnElement[Any]:
    """The column as it is asked for."""
    if isinstance(column.type, RegistryJson):
        # As text it need be neither parsed nor written again.
        return cast(column, JsonText).label(column.name)
    return column
