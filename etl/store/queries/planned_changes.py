"""The changes that the current run has staged, with the names that the records will have."""

from typing import Any

from sqlalchemy import Connection, Select, Subquery, func, literal, null, select, union_all

from etl.changes import NamedChange, PlannedChanges
from etl.store.queries.change_names import NameTables, with_model, with_names
from etl.store.queries.first_tags import with_staged_tags
from etl.store.staging_tables import STAGES, TABLES, TO_DELETE, TO_RESTORE


def planned(connection: Connection, limit: int | None, *, deletes_only: bool = False) -> PlannedChanges:
    """Return the first changes that the run would write, without those of bookkeeping fields."""
    sources = _sources()
    query = with_names(with_model(_staged(deletes_only=deletes_only), sources), sources, every=False)
    shown = query.order_by(None).subquery()
    records = select(shown.c.entity, shown.c.entity_id).distinct().subquery()
    with connection.begin():
        rows = connection.execute(query.limit(limit)).all()
        number = connection.scalar(select(func.count()).select_from(records)) or 0
        changes = with_staged_tags(connection, (NamedChange(*row)._replace(run_id=None) for row in rows))
    return PlannedChanges(changes, number)


def _staged(*, deletes_only: bool) -> Subquery:
    """Return the rows that the merge would write to `changes`."""
    stage = STAGES["changes"]
    no_field = [null().label(name) for name in ("field", "old_value", "new_value")]
    parts: list[Select[Any]] = []
    if not deletes_only:
        parts.append(select(*stage.columns))
        restored = literal("restored").label("kind")
        parts.append(select(literal("model_versions"), TO_RESTORE.c.id, restored, *no_field))
    deleted = literal("deleted").label("kind")
    parts.append(select(TO_DELETE.c.entity, TO_DELETE.c.id.label("entity_id"), deleted, *no_field))
    changes = union_all(*parts).subquery()
    # One run: any id is equal to itself, which NULL is not.
    return select(literal("").label("run_id"), null().label("observed_at"), literal(0).label("id"), changes).subquery()


def _sources() -> NameTables:
    """Return the records as they will be after the merge."""
    return NameTables(
        versions=_merged("model_versions", "model_id", "version", "fqn", "ml_repo_id"),
        models=_merged("models", "name", "fqn", "ml_repo_id"),
        ml_repos=_merged("ml_repos", "name"),
    )


def _merged(name: str, *columns: str) -> Subquery:
    stage, table = STAGES[name], TABLES[name]
    staged, stored = ([each.c[column] for column in ("id", *columns)] for each in (stage, table))
    return union_all(select(*staged), select(*stored).where(table.c.id.not_in(select(stage.c.id)))).subquery()
