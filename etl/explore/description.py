"""Datasette's metadata of tables and views, from the mappings."""

from typing import Any

from etl.explore.queries import QUERIES
from etl.models import VERSION_TABLE, Base, views

TABLES = Base.metadata.tables
VIEWS = views.metadata.tables

# The column that labels a row where another row refers to it.
_LABELS = {
    "ml_repos": "name",
    "models": "name",
    "model_versions": "fqn",
    "subjects": "display_name",
    "sync_runs": "started_at",
}

# Columns to offer as facets, the most useful first.
_FACETS = (
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
_FACETS_AT_ONCE = 4
# Each facet queries the whole view again, which takes seconds with half a million metrics.
_WITHOUT_FACETS = {"latest_metrics", "metric_leaderboard", "metric_changes"}

_NEWEST_FIRST = {
    "changes": "id",
    "model_timeline": "observed_at",
    "rejected_records": "id",
    "sync_runs": "started_at",
}

# These references have no foreign keys: the source may list one record without the other.
_IDS = {
    "ml_repo_id": "ml_repos",
    "model_id": "models",
    "model_version_id": "model_versions",
    "latest_version_id": "model_versions",
    "created_by_id": "subjects",
    "subject_id": "subjects",
}
# In the registry's own tables, `run_id` is a training run of the source.
_IDS_IN_VIEWS = _IDS | {"run_id": "sync_runs", "last_complete_run_id": "sync_runs"}


def metadata(database: str) -> dict[str, Any]:
    """Return Datasette's metadata for the database of this name."""
    tables = {name: _of(name) for name in (*TABLES, *VIEWS)} | {VERSION_TABLE: {"hidden": True}}
    queries = {each.name: {"title": each.title, "description": each.about, "sql": each.sql} for each in QUERIES}
    return {
        "title": "Model registry",
        "databases": {database: {"title": "Model registry", "tables": tables, "queries": queries}},
    }


def joins() -> dict[str, dict[str, str]]:
    """Map each table or view, and each column of it with ids, to the table of those ids."""
    found = {}
    for name, table in TABLES.items():
        declared = {key.parent.name: key.column.table.name for key in table.foreign_keys}
        found[name] = {column.name: _IDS[column.name] for column in table.columns if column.name in _IDS} | declared
    for name, view in VIEWS.items():
        found[name] = {
            column.name: _IDS_IN_VIEWS[column.name] for column in view.columns if column.name in _IDS_IN_VIEWS
        }
    return found


def _of(name: str) -> dict[str, Any]:
    table = TABLES[name] if name in TABLES else VIEWS[name]
    facets = [] if name in _WITHOUT_FACETS else [column for column in _FACETS if column in table.columns]
    entry: dict[str, Any] = {
        "description": table.comment,
        "columns": {column.name: column.comment for column in table.columns if column.comment},
        "facets": facets[:_FACETS_AT_ONCE],
    }
    if name in _LABELS:
        entry["label_column"] = _LABELS[name]
    if name in _NEWEST_FIRST:
        entry["sort_desc"] = _NEWEST_FIRST[name]
    return entry
