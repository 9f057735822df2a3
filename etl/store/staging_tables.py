"""The run's temporary tables, which hold rows until the merge. No other session sees them."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, Index, MetaData, Table, true
from sqlalchemy.types import Boolean, Text

from etl.enums import Entity
from etl.models import Base, ModelRunStep, ModelVersionMetric, ModelVersionPackage, ModelVersionTag
from etl.models.types import RegistryJson, RegistryText, UtcDateTime

TABLES: Mapping[str, Table] = Base.metadata.tables

CHILDREN: Mapping[Entity, tuple[str, ...]] = {
    Entity.ML_REPOS: (),
    Entity.MODELS: ("model_run_steps",),
    Entity.MODEL_VERSIONS: ("model_version_tags", "model_version_metrics", "model_version_packages"),
}
"""Each entity, in the order of the merge, with its child tables."""

_RECORD_ID: Mapping[str, str] = {
    **dict.fromkeys(CHILDREN, "id"),
    ModelRunStep.__tablename__: ModelRunStep.model_id.key,
    ModelVersionTag.__tablename__: ModelVersionTag.model_version_id.key,
    ModelVersionMetric.__tablename__: ModelVersionMetric.model_version_id.key,
    ModelVersionPackage.__tablename__: ModelVersionPackage.model_version_id.key,
}

STORE_SET_COLUMNS = ("superseded_at", "first_seen_at", "last_changed_at", "deleted_at")
"""Columns of the registry's tables that the store sets itself."""

LOGGED_AT = TABLES["model_version_metrics"].c.logged_at
"""The only column that the database derives, from `timestamp_ms`: it has ten million values."""

MOMENTS_MS = (-62_135_596_800_000, 253_402_300_799_999)
"""The first and the last moment that a datetime can hold, in milliseconds since 1970."""

NON_RECORD_COLUMNS = frozenset({*STORE_SET_COLUMNS, LOGGED_AT.name})
"""Columns that are not read from records."""

TEMPORARY = "pg_temp"
"""Schema of the temporary tables, so that no other program's table is mistaken for one. SQLite's is `temp`."""

_STAGE = "stage_"
_temporary = MetaData()


def record_id(table: Table) -> Column[Any]:
    """Return the column with the id of the record that a row belongs to, of a table or its stage."""
    column: Column[Any] = table.c[_RECORD_ID[table.name.removeprefix(_STAGE)]]
    return column


def _temp(name: str, *columns: Column[Any]) -> Table:
    keyed = any(column.primary_key for column in columns)
    # Without a rowid, SQLite stores a table with a key as one B-tree instead of two.
    return Table(name, _temporary, *columns, prefixes=["TEMPORARY"], schema=TEMPORARY, sqlite_with_rowid=not keyed)


def _stage(name: str, *more: Column[Any], without: Collection[str] = NON_RECORD_COLUMNS) -> Table:
    """Define a plain copy of the table, without keys and defaults, and with JSON as text."""
    columns = [
        Column(column.name, Text() if isinstance(column.type, RegistryJson) else column.type)
        for column in TABLES[name].columns
        if column.name not in without
    ]
    return _temp(f"{_STAGE}{name}", *columns, *more)


NO_ID = "no id:"
"""Begins the keys of rejected records in `OBSERVED` that have no id of their own."""

OBSERVED = _temp(
    "observed",
    Column("entity", Text, primary_key=True),
    Column("id", RegistryText, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("updated_at", UtcDateTime),
    Column("content_hash", Text),
    Column("ml_repo_id", RegistryText),
    Column("latest_version_id", RegistryText),
    Column("change_hash", Text),
    Column("twin_of", RegistryText),
)
"""Every record that the run has read; outcome: inserted, updated, unchanged, restored or rejected.

A rejected record without an id has `NO_ID` and the hash of its payload as its key. So has a rejected record whose id
belongs to another record, its twin."""

VERSIONS_DUE = _temp("versions_due", Column("model_id", RegistryText, primary_key=True))
"""Models whose versions the run must read."""

VERSIONS_READ = _temp(
    "versions_read",
    Column("model_id", RegistryText, primary_key=True),
    Column("all_stored", Boolean, nullable=False, server_default=true()),
)
"""Models whose versions were all read, with a proof of completeness; `all_stored`: none of them was rejected.

The next run reads the versions of the others again."""

VERSIONS_INCOMPLETE = _temp("versions_incomplete", Column("model_id", RegistryText, primary_key=True))
"""Models whose versions could not all be read.

Unless this run reads them later, the next run reads them again."""

TO_DELETE = _temp("to_delete", Column("entity", Text, primary_key=True), Column("id", RegistryText, primary_key=True))
"""Stored records that the source no longer has."""

TO_RESTORE = _temp("to_restore", Column("id", RegistryText, primary_key=True))
"""Deleted versions that are restored with their model, although they were not read themselves."""

STAGES: Mapping[str, Table] = {
    **{name: _stage(name) for parent, children in CHILDREN.items() for name in (parent, *children)},
    # The stamp is the `updated_at` of the record that names the subject: the newest row wins.
    "subjects": _stage("subjects", Column("stamp", UtcDateTime)),
    "changes": _stage("changes", without=("id", "run_id", "observed_at")),
    "rejected_records": _stage("rejected_records", without=("id", "run_id", "rejected_at", "resolved_at")),
}
"""Staged rows, by the name of the table that they will be merged into."""

INDEXES = tuple(
    Index(f"ix_{_STAGE}{name}", record_id(STAGES[name]))
    for parent, children in CHILDREN.items()
    for name in (parent, *children)
)
"""Indexes to find the staged rows of a record. Most runs need none."""

ALL = (OBSERVED, VERSIONS_DUE, VERSIONS_READ, VERSIONS_INCOMPLETE, TO_DELETE, TO_RESTORE, *STAGES.values())
