"""Cells of tables: values as people write them, and records by their names, as links."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from datasette.utils import tilde_encode
from markupsafe import Markup, escape

from etl.enums import Entity
from etl.explore import columns, description, formatting
from etl.explore.database import NAME
from etl.models import types

_FQN = re.compile(r"model:[^/]+/[^/]+/(?P<model>[^/:]+):(?P<version>[0-9]+)")


def render(row: Any, value: Any, column: str, table: str | None, datasette: Any) -> Any:
    """Return the value as HTML; None for Datasette's own way, which escapes it. `table` is None for a query.

    The value of an id is a dictionary where Datasette has looked up the name of its record.
    """
    names = tuple(row.keys())
    links = columns.link_columns(names, table)
    if column in links:
        return _name(row, value, column, links)
    if column in columns.hidden_columns(names, table):
        return None
    other = _referenced_table(row, column, table)
    if other is not None and value is not None:
        return _id(value, other, datasette)
    if value is not None and (view := columns.list_view_of(column, table)):
        return _filtered(view, {column: value}, value)
    if value is not None and column in columns.VERSION_NUMBERS and "model_id" in names:
        return _numbered(_plain(row["model_id"]), value, column)
    form = columns.format_of(column, table)
    return None if form is None or value is None or isinstance(value, dict) else form(value)


def text(value: Any, column: str, table: str) -> object:
    """Return a value that stands alone, such as one to count by."""
    form = columns.format_of(column, table)
    return "unknown" if value in {None, ""} else (form and form(value)) or value


def record_label(row: Any, label_column: str | None, key: Sequence[str]) -> object:
    """Return the name of a record, or its key if it has none."""
    label = row[label_column] if label_column else None
    return (formatting.moment(label) or label) if label else ", ".join(key)


def record_url(table: str, record_id: str) -> str:
    """Return the URL of the page of a record that the store has read."""
    return _url(table, types.escape(record_id))


def _name(row: Any, value: Any, column: str, links: Mapping[str, columns.Link]) -> Markup | None:
    """Return a name as a link to its record; the id if the record has no name in any column."""
    link = links[column]
    stored_id = _plain(row[link.id_column])
    if stored_id is None:
        return None
    if value is not None:
        shown = columns.label(column, value)
        if link.filter_column is not None:
            return _filtered(link.table, {link.filter_column: stored_id}, shown)
        return _link(link.table, stored_id, shown)
    is_named = any(row[name] is not None for name, other in links.items() if other.id_column == link.id_column)
    return None if is_named or link.id_column == "entity_id" else _link(link.table, stored_id, stored_id)


def _numbered(model_id: Any, number: int, column: str) -> Markup:
    """Return the number of a version as a link to the version of the model with that number."""
    filters = {"model_id": model_id, "version": number}
    return _filtered("model_versions", filters, columns.label(column, number))


def _filtered(table: str, values: Mapping[str, Any], label: object) -> Markup:
    """Return a link to the rows of a table or view with these values."""
    filters = urlencode({f"{name}__exact": value for name, value in values.items()})
    return Markup('<a href="/{}/{}?{}">{}</a>').format(NAME, table, filters, label)


def _id(value: Any, other: str, datasette: Any) -> Any:
    """Return an id as a link with the name of its record."""
    if isinstance(value, dict) and value["label"] is not None:
        return _link(other, value["value"], _label(value["label"], other))
    stored_id = _plain(value)

    async def look_up() -> Markup:
        found = await datasette.databases[NAME].execute(description.LABEL_QUERIES[other], {"id": stored_id})
        if not found.rows:  # the source names a record that it does not list
            return escape(stored_id)
        return _link(other, stored_id, _label(found.rows[0][0], other) or stored_id)

    return look_up()


def _referenced_table(row: Any, column: str, table: str | None) -> str | None:
    """Return the table of the ids in a column; None if it has none."""
    if column == "entity_id":
        entity = row["entity"] if "entity" in row.keys() else None  # noqa: SIM118 rows are no dictionaries
        return entity if entity in {*Entity} else None
    return columns.id_columns(table).get(column)


def _label(value: Any, table: str) -> Any:
    """Return the name of a record: of a run its start, of a version that of its model, with its number."""
    if table == "sync_runs":
        return formatting.moment(value) or value
    parts = _FQN.fullmatch(value) if table == "model_versions" and isinstance(value, str) else None
    return f"{parts['model']} v{parts['version']}" if parts else value


def _link(table: str, stored_id: str, label: object) -> Markup:
    return Markup('<a href="{}">{}</a>').format(_url(table, stored_id), label)


def _url(table: str, stored_id: str) -> str:
    return f"/{NAME}/{table}/{tilde_encode(stored_id)}"


def _plain(value: Any) -> Any:
    """Return the id for which Datasette has looked up the name."""
    return value["value"] if isinstance(value, dict) else value
