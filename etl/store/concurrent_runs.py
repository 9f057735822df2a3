"""Runs over different ML repos go side by side; their merges go one after another, each knowing what the others wrote.

A model may move from the ML repos of one run to those of another while both read: then both have staged it, each as
it saw it, or one has seen it go and the other come.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, insert, literal, select, update

from etl.store.engine import database_of
from etl.store.reconcile import live_in
from etl.store.staging_tables import CHILDREN, OBSERVED, STAGES, TABLES, TO_DELETE


def rebase_staging(connection: Connection, ml_repos: Sequence[str]) -> None:
    """Wait for merges under way, then bring what is staged up to what is stored by now. The caller has begun."""
    if not ml_repos:  # a run over everything has no other at its side
        return
    database_of(connection.engine.url).wait_for_merges(connection)
    for entity in ("model_versions", "models"):  # versions first, while it shows which models are outdated
        _discard(connection, entity, _outdated(entity))
    for entity in CHILDREN:
        _take_as_stored(connection, entity)
        _take_as_buried(connection, entity)
        _spare_what_moved(connection, entity, ml_repos)


def _outdated(entity: str) -> Select[Any]:
    """Staged records that are stored newer, and versions of models that are: another run has read them since."""
    stage, table = STAGES[entity], TABLES[entity]
    newer = exists().where(table.c.id == stage.c.id, table.c.updated_at > stage.c.updated_at)
    if entity == "models":
        return select(stage.c.id).where(newer)
    return select(stage.c.id).where(newer | stage.c.model_id.in_(_outdated("models")))


def _discard(connection: Connection, entity: str, outdated: Select[Any]) -> None:
    changes = STAGES["changes"]
    connection.execute(delete(changes).where(changes.c.entity == entity, changes.c.entity_id.in_(outdated)))
    for name in (*CHILDREN[entity], entity):
        connection.execute(delete(STAGES[name]).where(STAGES[name].columns[0].in_(outdated)))


def _take_as_stored(connection: Connection, entity: str) -> None:
    """What was new when it was compared, and is stored by now, is replaced; that it was created is told already."""
    of_entity = (
        OBSERVED.c.entity == entity,
        OBSERVED.c.outcome == "inserted",
        OBSERVED.c.id.in_(select(TABLES[entity].c.id)),
    )
    changes = STAGES["changes"]
    connection.execute(
        delete(changes).where(
            changes.c.entity == entity,
            changes.c.kind == "created",
            changes.c.entity_id.in_(select(OBSERVED.c.id).where(*of_entity)),
        )
    )
    connection.execute(update(OBSERVED).where(*of_entity).values(outcome="updated"))


def _take_as_buried(connection: Connection, entity: str) -> None:
    """What this run has seen live, and another that saw it go has marked as deleted, comes back."""
    buried = select(TABLES[entity].c.id).where(TABLES[entity].c.deleted_at.is_not(None))
    of_entity = (
        OBSERVED.c.entity == entity,
        OBSERVED.c.outcome.in_(["updated", "unchanged"]),
        OBSERVED.c.id.in_(buried),
    )
    told = select(OBSERVED.c.entity, OBSERVED.c.id, literal("restored")).where(*of_entity)
    connection.execute(insert(STAGES["changes"]).from_select(["entity", "entity_id", "kind"], told))
    connection.execute(update(OBSERVED).where(*of_entity).values(outcome="restored"))


def _spare_what_moved(connection: Connection, entity: str, ml_repos: Sequence[str]) -> None:
    """What a run over another ML repo took over since it was doomed lives on."""
    here = select(TABLES[entity].c.id).where(live_in(TABLES[entity], ml_repos))
    connection.execute(delete(TO_DELETE).where(TO_DELETE.c.entity == entity, TO_DELETE.c.id.not_in(here)))
