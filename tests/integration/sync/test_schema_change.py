"""A newer release migrates the schema while a run reads, or while it waits to write."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from etl.errors import SchemaMismatch
from etl.models import VERSION_TABLE, SyncRun
from etl.store import engine_scope, schema
from etl.store.dialects.postgresql import DIALECT
from tests.support.databases import new_database, wait_for_waiting_locks
from tests.support.faults import at_request
from tests.support.sync_env import SyncEnv, sync_env

NEWER = "9999"


def set_revision(connection: Connection, revision: str) -> None:
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"))  # noqa: S608


def test_a_run_writes_nothing_into_a_schema_that_was_migrated_while_it_read(env: SyncEnv) -> None:
    env.sync()
    before = env.registry_dump()
    env.registry.add_version(env.registry.ids("models")[0])

    def migrate() -> None:
        with env.connection() as connection:
            set_revision(connection, NEWER)

    at_request(env, "/model-versions", 1, migrate)
    with pytest.raises(SchemaMismatch, match=f"migrated to revision {NEWER} during this run.*: nothing was written"):
        env.sync()

    assert env.registry_dump() == before
    assert sorted(row["status"] for row in env.rows(SyncRun)) == ["failed", "succeeded"]
    with env.connection() as connection:
        set_revision(connection, schema.head())
    env.plane.before_request = None
    assert env.sync().complete
    assert env.held() == env.served()


@pytest.fixture
def postgresql_env(postgres_url: str, migrated_template: str) -> Iterator[SyncEnv]:
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url) as env:
        env.sync()
        yield env


def test_run_waits_for_a_migration_in_progress_and_then_fails(postgresql_env: SyncEnv) -> None:
    env = postgresql_env
    before = env.registry_dump()
    env.registry.add_version(env.registry.ids("models")[0])
    failed: list[SchemaMismatch] = []

    def run() -> None:
        try:
            env.sync()
        except SchemaMismatch as error:
            failed.append(error)

    with engine_scope(env.url) as engine, engine.connect() as connection:
        with connection.begin():
            DIALECT.lock_schema_exclusive(connection)
            set_revision(connection, NEWER)
            thread = threading.Thread(target=run)
            thread.start()
            wait_for_waiting_locks(env.url, 1)
        thread.join()

    assert len(failed) == 1
    assert env.registry_dump() == before
