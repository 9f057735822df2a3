"""What each column of a table, a view or a query is: its format, and the record that it names.

The name of a record is a link to it, and replaces the id in another column of the same row.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache, partial
from typing import Any, NamedTuple

from etl.explore import formatting
from etl.models import Base, views

TABLES = Base.metadata.tables
VIEWS = views.metadata.tables

Format = Callable[[Any], object]


class Link(NamedTuple):
    """The column with the id of a record, and the table of the record.

    With `filter_column`, the link is to the rows of the table that have the id in that column.
    """

    id_column: str
    table: str
    filter_column: str | None = None


# Ids, the columns that name their records, and the tables. These references have no foreign keys: the source may list
# one record without the other.
_REFERENCES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("ml_repo_id", ("ml_repo_name",), "ml_repos"),
    ("model_id", ("model_name",), "models"),
    ("model_version_id", ("version",), "model_versions"),
    ("latest_version_id", ("latest_version",), "model_versions"),
    ("created_by_id", ("created_by",), "subjects"),
    ("subject_id", ("display_name",), "subjects"),
)
_RUNS = {"run_id": "sync_runs", "last_complete_run_id": "sync_runs"}

# The columns that name a row's own record, whose id is in `id`, and the table of the record.
_OWN: Mapping[str, tuple[tuple[str, ...], str]] = {
    "ml_repos": (("name",), "ml_repos"),
    "subjects": (("display_name", "slug"), "subjects"),
    "models": (("name",), "models"),
    "model_versions": (("fqn", "version"), "model_versions"),
    "current_models": (("name",), "models"),
    "current_model_versions": (("version", "fqn"), "model_versions"),
}

# Ids of queries whose name is a link to the rows of a view, instead of a record.
_FILTERS: Mapping[str, tuple[str, Link]] = {
    "production_creator_id": ("created_by", Link("production_creator_id", "production_versions", "created_by_id")),
}

VERSION_NUMBERS = {
    "version",
    "latest_version",
    "newest_version",
    "newest_production_version",
    "from_version",
    "to_version",
    "previous_version",
    "next_version",
}
# Lists of the records with a name, where the id is not there.
_NAME_LISTS = {
    "ml_repo_name": "current_models",
    "created_by": "current_model_versions",
}
_FORMATS: Mapping[type | None, Format] = {datetime: formatting.moment, bool: formatting.flag, float: formatting.real}


@cache
def id_columns(name: str | None) -> dict[str, str]:
    """Map each column with ids to the table of those ids; of a table, a view, or for None, of any query."""
    references = {column: table for column, _labels, table in _REFERENCES}
    if name is None:
        return references | _RUNS
    columns = [column.name for column in (VIEWS[name] if name in VIEWS else TABLES[name]).columns]
    if name in VIEWS:
        references |= _RUNS
        return {column: references[column] for column in columns if column in references}
    # In the registry's own tables, `run_id` is a training run of the source.
    declared = {key.parent.name: key.column.table.name for key in TABLES[name].foreign_keys}
    return {column: references[column] for column in columns if column in references} | declared


@cache
def link_columns(columns: tuple[str, ...], table: str | None) -> dict[str, Link]:
    """Map each column that names a record to the column with its id; `table` is None for a query."""
    found = {
        label: Link(id_column, other)
        for id_column, labels, other in _REFERENCES
        for label in labels
        if id_column in columns and label in columns
    }
    found |= {label: link for id_column, (label, link) in _FILTERS.items() if {id_column, label} <= {*columns}}
    if table is not None and table in _OWN:
        labels, other = _OWN[table]
        found |= {label: Link("id", other) for label in labels if label in columns}
    if "version" in columns and "version" not in found and {"entity", "entity_id", "model_name"} <= {*columns}:
        found["version"] = Link("entity_id", "model_versions")
    return found


def hidden_columns(columns: Iterable[str], table: str | None) -> set[str]:
    """Return the columns with ids of records that another column names."""
    return {link.id_column for link in link_columns(tuple(columns), table).values()}


@cache
def format_of(column: str, table: str | None) -> Format | None:
    """Return the format of a column's values; of a query, by the name that the column has in tables and views."""
    if column in VERSION_NUMBERS:
        return partial(label, column)
    if column.endswith("_bytes") or column.startswith("bytes_"):
        return formatting.size
    if column.endswith("_seconds"):
        return formatting.duration
    if column in {"relative_change", "scaled_change"}:
        return formatting.share
    kind = type_of(column, table)
    # In a query, `moment` formats only values that are written like a stored time.
    return formatting.moment if kind is None and table is None else _FORMATS.get(kind)


@cache
def type_of(column: str, table: str | None) -> type | None:
    """Return the type of a column's values; of a query, the one that all columns of this name have, if it is one."""
    found = [each.columns[column].type for each in _relations(table) if column in each.columns]
    types = {getattr(each, "impl", each).python_type for each in found}
    return types.pop() if len(types) == 1 else None


def _relations(name: str | None) -> list[Any]:
    return [each for each in (*TABLES.values(), *VIEWS.values()) if name in {None, each.name}]


def list_view_of(column: str, table: str | None) -> str | None:
    """Return the view that lists the records with a name; None if the column has none, or the view is this one."""
    name = _NAME_LISTS.get(column)
    return None if name == table else name


def label(column: str, value: object) -> str:
    """Return the text of a link: the name, or the version with a v before its number."""
    return f"v{value}" if column in VERSION_NUMBERS and isinstance(value, int) else str(value)
