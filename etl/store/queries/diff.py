"""What differs between two moments, and the rows of a version.

The caller of each function has begun a transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, exists, func, literal, null, select, union_all

from etl.changes import NamedChange, net_changes
from etl.enums import Entity
from etl.errors import ConfigError
from etl.models import views
from etl.store.queries.change_names import STORED_TABLES, with_model, with_names
from etl.store.queries.changes import pruned_until
from etl.store.staging_tables import CHILDREN, NON_RECORD_COLUMNS, TABLES, record_id

_CHANGES, _VERSIONS = TABLES["changes"], TABLES["model_versions"]
_FETCHED_ROWS = 1000

_OF_EACH_VERSION = frozenset({"created_at", "fqn", "id", "manifest.version", "updated_at", "version"})
"""Fields in which any two versions of a model differ."""

Rows = dict[str, list[tuple[Any, ...]]]
"""The rows of one version by table, in the order of the columns that are read from records."""

FieldChange = tuple[str, str, str, str | None, str | None, str | None]
"""Entity, id, kind, field, old value and new value."""


def between(
    connection: Connection, start: datetime, end: datetime, model_ids: Sequence[str] | None = None
) -> list[NamedChange]:
    """Return what differs between the states at two moments, of these models or of all, by name.

    A record of a first load, which writes no changes, counts as created when it was first seen.
    """
    parts = [*(_first_seen(entity, start, end) for entity in CHILDREN), _recorded(start, end)]
    changes = with_model(union_all(*parts).subquery(), STORED_TABLES)
    query = with_names(changes, STORED_TABLES, every=True)
    if model_ids is not None:
        query = query.where(changes.c.model_id.in_(model_ids))
    in_order = query.order_by(None).order_by(changes.c.id)
    result = connection.execute(in_order, execution_options={"yield_per": _FETCHED_ROWS})
    found = (NamedChange(*row) for row in result)
    return sorted(net_changes(each._replace(run_id=each.run_id or None) for each in found), key=_by_name)


class VersionPair(NamedTuple):
    """The rows of two versions of a model, and the names that sentences about the second one need."""

    old: Rows
    new: Rows
    model_id: str
    version: int
    fqn: str | None
    model: str | None
    ml_repo: str | None
    creators: dict[str, str]

    @property
    def ids(self) -> tuple[str, str]:
        """The ids of the two versions."""
        old, new = (rows[Entity.MODEL_VERSIONS][0][0] for rows in (self.old, self.new))
        return old, new

    def with_names(self, changes: Iterable[FieldChange]) -> list[NamedChange]:
        """Return the changes from the first version to the second, without those that any two versions have."""
        named = (NamedChange(None, None, *each, self.model, self.version, self.ml_repo, self.fqn) for each in changes)
        return [
            each._replace(old_name=self.creators.get(each.old or ""), new_name=self.creators.get(each.new or ""))
            for each in named
            if each.field not in _OF_EACH_VERSION
        ]


def version_pair(connection: Connection, model_ids: Sequence[str], old: int, new: int) -> VersionPair:
    """Return two versions of one of these models, by number. ConfigError if there are not exactly two."""
    ids = [_version_id(connection, model_ids, number) for number in (old, new)]
    models, repos, subjects = (TABLES[name] for name in ("models", "ml_repos", "subjects"))
    query = (
        select(_VERSIONS.c.model_id, _VERSIONS.c.version, _VERSIONS.c.fqn, models.c.name, repos.c.name)
        .outerjoin_from(_VERSIONS, models, models.c.id == _VERSIONS.c.model_id)
        .outerjoin(repos, repos.c.id == models.c.ml_repo_id)
        .where(_VERSIONS.c.id == ids[1])
    )
    creators = (
        select(subjects.c.id, func.coalesce(subjects.c.display_name, subjects.c.slug, subjects.c.id))
        .join(_VERSIONS, _VERSIONS.c.created_by_id == subjects.c.id)
        .where(_VERSIONS.c.id.in_(ids))
    )
    names: dict[str, str] = {row[0]: row[1] for row in connection.execute(creators)}
    model_id, version, fqn, model, ml_repo = connection.execute(query).one()
    before, after = (_rows_of(connection, each) for each in ids)
    return VersionPair(before, after, model_id, version, fqn, model, ml_repo, names)


def history_start(connection: Connection) -> datetime | None:
    """Return the moment since which history is known; None before the first complete run.

    It is the start of that run, or the time of the newest change that `prune` deleted.
    """
    runs = TABLES["sync_runs"]
    first_complete = connection.scalar(select(func.min(runs.c.started_at)).where(runs.c.complete))
    return max(filter(None, (first_complete, pruned_until(connection))), default=None)


def _recorded(start: datetime, end: datetime) -> Select[Any]:
    names = ("id", "run_id", "observed_at", "entity", "entity_id", "kind", "field", "old_value", "new_value")
    within = and_(_CHANGES.c.observed_at > start, _CHANGES.c.observed_at <= end)
    return select(*(_CHANGES.c[name] for name in names)).where(within)


def _first_seen(entity: Entity, start: datetime, end: datetime) -> Select[Any]:
    """Return a change `created` for each record that was first seen between the moments, and has none."""
    table = TABLES[entity]
    has_change = exists().where(
        _CHANGES.c.entity == entity, _CHANGES.c.entity_id == table.c.id, _CHANGES.c.kind == "created"
    )
    return select(
        literal(0).label("id"),
        literal("").label("run_id"),
        table.c.first_seen_at.label("observed_at"),
        literal(entity.value).label("entity"),
        table.c.id.label("entity_id"),
        literal("created").label("kind"),
        *(null().label(name) for name in ("field", "old_value", "new_value")),
    ).where(table.c.first_seen_at > start, table.c.first_seen_at <= end, ~has_change)


def _by_name(change: NamedChange) -> tuple[Any, ...]:
    """Sort ML repos before models, and a model before its versions."""
    is_version = change.entity == "model_versions"
    name = (change.model or "", change.ml_repo or "", is_version, change.version or 0, change.id, change.field or "")
    return (change.entity != "ml_repos", *name, change.old or "", change.new or "")


def _version_id(connection: Connection, model_ids: Sequence[str], number: int) -> str:
    of_models = and_(_VERSIONS.c.model_id.in_(model_ids), _VERSIONS.c.version == number)
    found = connection.scalars(select(_VERSIONS.c.id).where(of_models).limit(2)).all()
    if len(found) > 1:  # a deleted model may have had the name before
        models = TABLES[Entity.MODELS]
        live = select(_VERSIONS.c.id).join(models, models.c.id == _VERSIONS.c.model_id)
        found = connection.scalars(live.where(of_models, models.c.deleted_at.is_(None)).limit(2)).all() or found
    if not found:
        newest = connection.scalar(select(func.max(_VERSIONS.c.version)).where(_VERSIONS.c.model_id.in_(model_ids)))
        hint = "it has none." if newest is None else f"the newest is {newest}."
        raise ConfigError(f"The model has no version {number}: {hint}")
    if len(found) > 1:
        raise ConfigError(f"Several models have this name and a version {number}: use REPO/NAME, the FQN or the id.")
    return str(found[0])


def _rows_of(connection: Connection, version_id: str) -> Rows:
    """Return the rows of a version. Of each metric, only the last value, without step and time."""
    rows: Rows = {}
    for name in (Entity.MODEL_VERSIONS, *CHILDREN[Entity.MODEL_VERSIONS]):
        table = TABLES[name]
        columns = [column for column in table.columns if column.name not in NON_RECORD_COLUMNS]
        query = select(*columns).where(record_id(table) == version_id).order_by(*table.primary_key)
        rows[name] = [tuple(row) for row in connection.execute(query)]
    last = views.latest_metrics.c
    metrics = select(last.key, last.value, last.value_special).where(last.model_version_id == version_id)
    rows["model_version_metrics"] = [
        (version_id, position, *row, None, None) for position, row in enumerate(connection.execute(metrics))
    ]
    return rows
