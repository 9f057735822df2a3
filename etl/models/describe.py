"""Descriptions of all tables and views as plain data, for code that does not use SQLAlchemy."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Column, Dialect, Table, make_url

from etl.models import views as read_only
from etl.models.base import Base

_POSTGRESQL, _SQLITE = (make_url(url).get_dialect()() for url in ("postgresql+psycopg://", "sqlite://"))


@dataclass(frozen=True)
class Reference:
    """The column that another column refers to; `enforced` by a foreign key or not."""

    table: str
    column: str
    enforced: bool


@dataclass(frozen=True)
class ColumnDescription:
    """A column: its types, whether it may be NULL, its reference and its description.

    `nullable` is None for a column of a view, because it is not known there.
    """

    name: str
    postgresql: str
    sqlite: str
    nullable: bool | None
    key: bool
    refers_to: Reference | None
    one_of: tuple[str, ...]
    description: str


@dataclass(frozen=True)
class RelationDescription:
    """A table or view, with its description."""

    name: str
    description: str
    columns: tuple[ColumnDescription, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key; empty for a view."""
        return tuple(column.name for column in self.columns if column.key)


def tables() -> Iterator[RelationDescription]:
    """Describe all tables, referenced tables first."""
    return (_described(table, is_view=False) for table in Base.metadata.sorted_tables)


def views() -> Iterator[RelationDescription]:
    """Describe all views."""
    return (_described(table, is_view=True) for table in read_only.metadata.sorted_tables)


def _described(table: Table, *, is_view: bool) -> RelationDescription:
    columns = tuple(_column(column, is_view=is_view) for column in table.columns)
    return RelationDescription(table.name, table.comment or "", columns)


def _column(column: Column[object], *, is_view: bool) -> ColumnDescription:
    return ColumnDescription(
        name=column.name,
        postgresql=_type(column, _POSTGRESQL),
        sqlite=_type(column, _SQLITE),
        nullable=None if is_view else bool(column.nullable),
        key=column.primary_key,
        refers_to=_reference(column),
        one_of=column.info.get("values", ()),
        description=column.comment or "",
    )


def _type(column: Column[object], dialect: Dialect) -> str:
    return column.type.compile(dialect).lower().partition(" collate ")[0]


def _reference(column: Column[object]) -> Reference | None:
    for key in column.foreign_keys:
        return Reference(key.column.table.name, key.column.name, enforced=True)
    if target := column.info.get("refers_to"):
        table, name = target.split(".")
        return Reference(table, name, enforced=False)
    return None
