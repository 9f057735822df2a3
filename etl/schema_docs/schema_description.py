"""The schema of this release: tables, views and revision."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

import etl
from etl.errors import ConfigError
from etl.models import describe
from etl.models.describe import RelationDescription
from etl.store import schema


@dataclass(frozen=True)
class SchemaDescription:
    """The tables and views at the newest revision of this release; `partial`: only some of them."""

    release: str
    revision: str
    tables: tuple[RelationDescription, ...]
    views: tuple[RelationDescription, ...]
    partial: bool = False


def describe_schema(names: Collection[str] = ()) -> SchemaDescription:
    """Describe the schema, or only the named tables and views, from the mappings and the migrations.

    ConfigError for an unknown name.
    """
    tables, views = tuple(describe.tables()), tuple(describe.views())
    if names:
        _check({each.name for each in (*tables, *views)}, names)
        tables, views = (tuple(each for each in all_ if each.name in names) for all_ in (tables, views))
    return SchemaDescription(etl.__version__, schema.head(), tables, views, partial=bool(names))


def without_outer_references(of: SchemaDescription) -> SchemaDescription:
    """The schema without references to tables that it does not contain, for formats that would not be valid."""
    known = {each.name for each in (*of.tables, *of.views)}
    return replace(of, tables=_inner(of.tables, known), views=_inner(of.views, known))


def _inner(relations: Iterable[RelationDescription], known: set[str]) -> tuple[RelationDescription, ...]:
    return tuple(
        replace(
            relation,
            columns=tuple(
                column
                if column.refers_to is None or column.refers_to.table in known
                else replace(column, refers_to=None)
                for column in relation.columns
            ),
        )
        for relation in relations
    )


def _check(known: set[str], names: Iterable[str]) -> None:
    if unknown := next((name for name in names if name not in known), None):
        near = get_close_matches(unknown, known, n=1)
        advice = f"did you mean {near[0]}?" if near else f"use one of {', '.join(sorted(known))}."
        raise ConfigError(f"There is no table or view {unknown!r}: {advice}")
