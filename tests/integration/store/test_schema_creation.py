"""Who creates the tables: `sync` in a schema without any, `db upgrade` beside the tables of others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from sqlalchemy import Engine, inspect, make_url, text

from etl.errors import ConfigError, SchemaMismatch
from etl.models import VERSION_TABLE, Base
from etl.store import engine_scope, migrate, open_engine, schema
from etl.store.dialects import postgresql
from tests.support.databases import new_database, wait_for_waiting_locks


@pytest.fixture
def empty(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_database_without_tables_is_created_by_ensure_and_refused_by_check(empty: Engine) -> None:
    assert schema.describe(empty) == "sync creates it"
    with pytest.raises(SchemaMismatch, match=r"has no tables of tfy-etl yet: a sync without --dry-run creates them\.$"):
        schema.check(empty)
    assert schema.current(empty) is None

    schema.ensure(empty)

    assert schema.current(empty) == schema.head()
    assert tables(empty) == {*Base.metadata.tables, VERSION_TABLE}


def test_database_with_foreign_tables_alone_is_refused_until_an_upgrade_creates_ours(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    for operation in (schema.ensure, schema.describe, schema.check):
        with pytest.raises(SchemaMismatch) as refused:
            operation(empty)
        assert str(refused.value) == (
            "The schema has tables already, and none of tfy-etl: run tfy-etl db upgrade to create them beside those, "
            "or name another database."
        )
    assert tables(empty) == {"theirs"}

    schema.upgrade(empty)

    schema.ensure(empty)


@pytest.fixture
def server(postgres_url: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with new_database(postgres_url) as url:
        yield url


def run_sql(url: str, *statements: str) -> None:
    """Run statements as the owner of the server."""
    with engine_scope(url) as engine, engine.begin() as connection:
        for each in statements:
            connection.execute(text(each))


def with_search_path(url: str, *names: str) -> str:
    options = f"-c search_path={','.join(names)}"
    return make_url(url).update_query_dict({"options": options}).render_as_string(hide_password=False)


def test_views_sequences_and_tables_of_extensions_do_not_keep_ensure_from_creating(server: str) -> None:
    run_sql(
        server,
        "CREATE VIEW theirs AS SELECT 1 AS id",
        "CREATE SEQUENCE numbers",
        "CREATE TABLE of_extension (id INTEGER)",
        "ALTER EXTENSION plpgsql ADD TABLE of_extension",
    )
    with engine_scope(server) as engine:
        assert schema.describe(engine) == "sync creates it"
        schema.ensure(engine)
        assert schema.current(engine) == schema.head()


def test_foreign_tables_of_other_schemas_do_not_keep_ensure_from_creating_in_the_first(server: str) -> None:
    run_sql(server, 'CREATE SCHEMA "Registry"', "CREATE TABLE models (id INTEGER)")  # a table of ours has this name
    with engine_scope(with_search_path(server, '"Registry"', "public")) as engine:
        assert schema.describe(engine) == "sync creates it"
        schema.ensure(engine)
        assert schema.current(engine) == schema.head()
        assert set(inspect(engine).get_table_names("public")) == {"models"}
        assert set(inspect(engine).get_table_names("Registry")) == {*Base.metadata.tables, VERSION_TABLE}


def test_two_schemas_of_a_database_hold_tables_of_their_own(server: str) -> None:
    run_sql(server, "CREATE SCHEMA one", "CREATE SCHEMA other")
    for name in ("one", "other"):
        with engine_scope(with_search_path(server, name)) as engine:
            assert schema.describe(engine) == "sync creates it"
            schema.ensure(engine)
            assert schema.current(engine) == schema.head()


def test_search_path_without_a_schema_is_refused_with_the_fix(server: str) -> None:
    with engine_scope(with_search_path(server, "missing")) as engine:
        for operation in (schema.ensure, schema.describe, schema.upgrade):
            with pytest.raises(ConfigError, match="no schema of its search_path: create one with tfy-etl db upgrade"):
                operation(engine)


def test_role_that_cannot_create_tables_is_refused_with_the_grant_it_needs(server: str) -> None:
    role = f"Reader_{uuid4().hex[:8]}"
    run_sql(server, f'CREATE ROLE "{role}" LOGIN', "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        with engine_scope(make_url(server).set(username=role).render_as_string()) as engine:
            for operation in (schema.ensure, schema.describe, schema.upgrade):
                with pytest.raises(ConfigError) as refused:
                    operation(engine)
                assert str(refused.value) == (
                    f'The role "{role}" cannot create tables in the schema public: '
                    f'run GRANT CREATE ON SCHEMA public TO "{role}".'
                )
            run_sql(server, f'GRANT CREATE ON SCHEMA public TO "{role}"')
            schema.ensure(engine)
            assert schema.current(engine) == schema.head()
    finally:
        run_sql(server, f'DROP OWNED BY "{role}"', f'DROP ROLE "{role}"')


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_ensure_waits_for_another_process_that_creates_the_tables(server: str, isolation: str) -> None:
    run_sql(server, f"ALTER DATABASE \"{make_url(server).database}\" SET default_transaction_isolation = '{isolation}'")
    with engine_scope(server) as first, engine_scope(server) as second, ThreadPoolExecutor() as threads:
        with first.begin() as connection:
            postgresql.DIALECT.lock_schema_exclusive(connection)
            waiting = threads.submit(schema.ensure, second)
            wait_for_waiting_locks(server, 1)
            migrate.upgrade(connection, schema.scripts(), "head")
        waiting.result()
        assert schema.current(second) == schema.head()


def test_ensure_does_not_migrate_tables_that_an_older_release_creates_at_the_same_time(server: str) -> None:
    with engine_scope(server) as first, engine_scope(server) as second, ThreadPoolExecutor() as threads:
        with first.begin() as connection:
            postgresql.DIALECT.lock_schema_exclusive(connection)
            waiting = threads.submit(schema.ensure, second)
            wait_for_waiting_locks(server, 1)
            migrate.upgrade(connection, schema.scripts(), "0001")
        with pytest.raises(SchemaMismatch, match="is at revision 0001"):
            waiting.result()
