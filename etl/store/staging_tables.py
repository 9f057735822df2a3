"""The run's temporary tables: where pages wait until the run is proven. Nobody else sees them."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlalchemy.types import Text

from etl.models import Base
from etl.models.types import RegistryJson, RegistryText, UtcDateTime

TABLES: Mapping[str, Table] = Base.metadata.tables

CHILDREN: Mapping[str, tuple[str, ...]] = {
    "ml_repos": (),
    "models": ("model_run_steps",),
    "model_versions": ("model_version_tags", "model_version_metrics", "model_version_packages"),
}
"""Each entity, in the order in which it is merged, with the tables that hang on it."""

STAMPS = ("superseded_at", "first_seen_at", "last_changed_at", "deleted_at")
"""Columns of the registry's tables that the store sets itself."""

LOGGED_AT = TABLES["model_version_metrics"].c.logged_at
"""The one column that the database derives from another, `timestamp_ms`: there are ten million of it."""

MOMENTS_MS = (-62_135_596_800_000, 253_402_300_799_999)
"""The first and the last moment that a datetime can hold, in milliseconds since 1970."""

OWN = frozenset({*STAMPS, LOGGED_AT.name})
"""Columns that no record brings."""

TEMPORARY = "pg_temp"
"""Schema of the temporary tables, named so that no table of somebody else's is taken for one; SQLite's is `temp`."""

_temporary = MetaData()


def _temp(name: str, *columns: Column[Any]) -> Table:
    keyed = any(column.primary_key for column in columns)
    # In SQLite a table with a key of its own is then one tree, and not two.
    return Table(name, _temporary, *columns, prefixes=["TEMPORARY"], schema=TEMPORARY, sqlite_with_rowid=not keyed)


def _stage(name: str, *more: Column[Any], without: Collection[str] = OWN) -> Table:
    """A bare copy of the table: no keys, no defaults, JSON as text."""
    columns = [
        Column(column.name, Text() if isinstance(column.type, RegistryJson) else column.type)
        for column in TABLES[name].columns
        if column.name not in without
    ]
    return _temp(f"stage_{name}", *columns, *more)


OBSERVED = _temp(
    "seen",
    Column("entity", Text, primary_key=True),
    Column("id", RegistryText, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("updated_at", UtcDateTime),
    Column("content_hash", Text),
    Column("ml_repo_id", RegistryText),
    Column("latest_version_id", RegistryText),
    Column("fingerprint", Text),
    Column("twin_of", RegistryText),
)
"""Every record that the run has met; outcome: inserted, updated, unchanged, restored or rejected.

A rejected record without an id stands here by the hash of its payload, and so does one whose id another has, its
twin."""

VERSIONS_DUE = _temp("due", Column("model_id", RegistryText, primary_key=True))
"""Models whose versions are to be read."""

VERSIONS_READ = _temp("versions_read", Column("model_id", RegistryText, primary_key=True))
"""Models whose versions were all read, provably."""

VERSIONS_INCOMPLETE = _temp("versions_unread", Column("model_id", RegistryText, primary_key=True))
"""Models whose versions could not all be read or stored: unless they were read after all, the next run asks again."""

TO_DELETE = _temp("doomed", Column("entity", Text, primary_key=True), Column("id", RegistryText, primary_key=True))
"""Stored records that the source no longer has."""

TO_RESTORE = _temp("revived", Column("id", RegistryText, primary_key=True))
"""Deleted versions that come back with their model, without having been read themselves."""

STAGES: Mapping[str, Table] = {
    **{name: _stage(name) for parent, children in CHILDREN.items() for name in (parent, *children)},
    # The stamp tells which sighting of a subject is the newest.
    "subjects": _stage("subjects", Column("stamp", UtcDateTime)),
    "changes": _stage("changes", without=("id", "run_id", "observed_at")),
    "rejected_records": _stage("rejected_records", without=("id", "run_id", "rejected_at", "resolved_at")),
}
"""Rows on their way into the table of that name."""

ALL = (OBSERVED, VERSIONS_DUE, VERSIONS_READ, VERSIONS_INCOMPLETE, TO_DELETE, TO_RESTORE, *STAGES.values())
