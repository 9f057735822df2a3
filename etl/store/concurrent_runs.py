"""Runs over different ML repos run at the same time, but merge one after another.

Before its merge, each run adapts its staging to the rows that other runs have merged since it compared. A model may
move from the ML repos of one run to those of another while both read. Then both runs may have staged the model, each in
a different state. Or one run misses the model in its lists, and the other run has read it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, insert, literal, select, update

from etl.enums import Entity, Outcome
from etl.store.engine import dialect_of
from etl.store.reconcile import insert_restored, live_or_moving_in
from etl.store.repo_scope import RepoScope
from etl.store.staging_tables import CHILDREN, OBSERVED, STAGES, TABLES, TO_DELETE, record_id


def rebase_staging(connection: Connection, repos: RepoScope, newest_credible: datetime) -> None:
    """Wait for merges in progress, then adapt staging to the rows that are stored now.

    The caller has begun a transaction. A stored `updated_at` after `newest_credible` is wrong, and outdates nothing.
    """
    if repos.is_all:  # no other run runs at the same time as one over the whole registry
        return
    dialect_of(connection.engine.url).wait_for_merges(connection)
    for entity in (Entity.MODEL_VERSIONS, Entity.MODELS):  # versions first: the staged models show which are outdated
        _discard(connection, entity, _outdated(entity, newest_credible))
    for entity in CHILDREN:
        _update_inserted_since(connection, entity)
        _restore_deleted_since(connection, entity)
        _keep_moved_since(connection, entity, repos)
    connection.execute(insert_restored())  # those of models that another run has deleted since


def _outdated(entity: Entity, newest_credible: datetime) -> Select[Any]:
    """Select staged records that another run has stored in a newer state.

    Versions of such models are outdated too.
    """
    stage, table = STAGES[entity], TABLES[entity]
    newer = exists().where(
        table.c.id == stage.c.id, table.c.updated_at > stage.c.updated_at, table.c.updated_at <= newest_credible
    )
    if entity is Entity.MODELS:
        return select(stage.c.id).where(newer)
    return select(stage.c.id).where(newer | stage.c.model_id.in_(_outdated(Entity.MODELS, newest_credible)))


def _discard(connection: Connection, entity: Entity, outdated: Select[Any]) -> None:
    changes = STAGES["changes"]
    connection.execute(delete(changes).where(changes.c.entity == entity, changes.c.entity_id.in_(outdated)))
    for name in (*CHILDREN[entity], entity):
        connection.execute(delete(STAGES[name]).where(record_id(STAGES[name]).in_(outdated)))


def _update_inserted_since(connection: Connection, entity: Entity) -> None:
    """Turn inserts into updates where another run has inserted the record since.

    The other run has logged the record as created, so discard this run's log entry. If the two runs have read different
    states of it, the difference is in no log.
    """
    of_entity = (
        OBSERVED.c.entity == entity,
        OBSERVED.c.outcome == Outcome.INSERTED,
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
    connection.execute(update(OBSERVED).where(*of_entity).values(outcome=Outcome.UPDATED))


def _restore_deleted_since(connection: Connection, entity: Entity) -> None:
    """Restore records that this run has read and another run has marked as deleted since."""
    deleted = select(TABLES[entity].c.id).where(TABLES[entity].c.deleted_at.is_not(None))
    of_entity = (
        OBSERVED.c.entity == entity,
        OBSERVED.c.outcome.in_((Outcome.UPDATED, Outcome.UNCHANGED)),
        OBSERVED.c.id.in_(deleted),
    )
    restored = select(OBSERVED.c.entity, OBSERVED.c.id, literal("restored")).where(*of_entity)
    connection.execute(insert(STAGES["changes"]).from_select(["entity", "entity_id", "kind"], restored))
    connection.execute(update(OBSERVED).where(*of_entity).values(outcome=Outcome.RESTORED))


def _keep_moved_since(connection: Connection, entity: Entity, repos: RepoScope) -> None:
    """Cancel deletes of records that another run has since stored in another ML repo."""
    # With `NOT IN`, PostgreSQL would scan all of them for each delete.
    here = exists().where(TABLES[entity].c.id == TO_DELETE.c.id, live_or_moving_in(TABLES[entity], repos))
    connection.execute(delete(TO_DELETE).where(TO_DELETE.c.entity == entity, ~here))
