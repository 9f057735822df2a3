"""Datasette's metadata of tables and views, from the mappings."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from etl.explore.columns import TABLES, VIEWS
from etl.explore.questions import QUESTIONS
from etl.models import VERSION_TABLE

# The column that labels a row where another row refers to it.
_LABELS = {
    "ml_repos": "name",
    "models": "name",
    "model_versions": "fqn",
    "subjects": "display_name",
    "sync_runs": "started_at",
}

LABEL_QUERIES = {
    "ml_repos": "SELECT name FROM ml_repos WHERE id = :id",
    "models": "SELECT name FROM models WHERE id = :id",
    "model_versions": "SELECT fqn FROM model_versions WHERE id = :id",
    "subjects": "SELECT COALESCE(display_name, slug) FROM subjects WHERE id = :id",
    "sync_runs": "SELECT started_at FROM sync_runs WHERE id = :id",
}
"""The name of a record, for an id that is shown where no other column has the name."""

_VIEW_GROUPS: Mapping[str, Sequence[str]] = {
    "Current state": (
        "current_models",
        "current_model_versions",
        "tag_assignments",
        "latest_metrics",
        "version_metadata",
    ),
    "History": (
        "model_timeline",
        "tag_history",
        "alias_history",
        "production_history",
        "production_label_history",
    ),
    "State of the copy": ("sync_freshness", "version_coverage"),
}
_BOOKKEEPING = {
    "pruned_history",
    "metric_directions",
    "metric_words",
    "production_words",
    "changes",
    "rejected_records",
    "sync_run_counts",
    "sync_runs",
    "sync_scopes",
    "version_read_state",
}

# Columns to offer for counts by value, the most useful first.
_COUNT_BY = (
    "tag",
    "kind",
    "entity",
    "status",
    "ml_repo_name",
    "ml_repo_id",
    "framework_type",
    "author_kind",
    "created_by",
    "python_version",
    "minor",
    "deployable",
    "is_latest",
    "mode",
)

_NEWEST_FIRST = {
    "changes": "id",
    "model_timeline": "observed_at",
    "rejected_records": "id",
    "sync_runs": "started_at",
}


def metadata(database: str) -> dict[str, Any]:
    """Return Datasette's metadata for the database of this name."""
    tables = {str(name): _of(name) for name in (*TABLES, *VIEWS)} | {VERSION_TABLE: {"hidden": True}}
    queries = {each.name: {"title": each.title, "description": each.about, "sql": each.sql} for each in QUESTIONS}
    return {
        "title": "Model registry",
        "databases": {database: {"title": "Model registry", "tables": tables, "queries": queries}},
    }


@cache
def columns(name: str) -> Mapping[str, str]:
    """Return the descriptions of a table's or view's columns.

    They are not in the metadata, which Datasette copies dozens of times for a page.
    """
    table = TABLES[name] if name in TABLES else VIEWS[name]
    return {str(column.name): column.comment or "" for column in table.columns}


def _of(name: str) -> dict[str, Any]:
    table = TABLES[name] if name in TABLES else VIEWS[name]
    count_by = [column for column in _COUNT_BY if column in table.columns]
    if "ml_repo_name" in count_by and "ml_repo_id" in count_by:
        count_by.remove("ml_repo_id")
    entry: dict[str, Any] = {
        "description": table.comment,
        # Not as facets: each would query the whole view again, which takes seconds with many metrics.
        "count_by": count_by,
    }
    if name in _LABELS:
        entry["label_column"] = _LABELS[name]
    if name in _NEWEST_FIRST:
        entry["sort_desc"] = _NEWEST_FIRST[name]
    return entry


class Relation(NamedTuple):
    """A table or a view, with its description."""

    name: str
    about: str


class Group(NamedTuple):
    """A heading of the start page, and what is below it."""

    title: str
    entries: Sequence[Relation]


def relation_groups() -> list[Group]:
    """Return the views by subject, then the tables of the registry, then those of the sync."""
    grouped = {name for names in _VIEW_GROUPS.values() for name in names}
    answers = [name for name in VIEWS if name not in grouped]
    named = {"Answers to common questions": answers} | dict(_VIEW_GROUPS)
    groups = [
        Group(title, [Relation(name, VIEWS[name].comment or "") for name in sorted(names)])
        for title, names in named.items()
    ]
    for title, is_bookkeeping in (("Tables of the registry", False), ("Tables of the sync itself", True)):
        names = [name for name in TABLES if (name in _BOOKKEEPING) == is_bookkeeping]
        groups.append(Group(title, [Relation(name, TABLES[name].comment or "") for name in sorted(names)]))
    return groups
