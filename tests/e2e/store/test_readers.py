"""The privileges of the roles of docs/how-to/analysts/postgresql.md."""

from collections.abc import Iterator

import pytest
from psycopg import errors, sql

from etl.models import Base, views
from etl.store import engine_scope, schema
from tests.support.postgres_roles import QUERIES, SharedDatabase, shared_database
from tests.support.sync_env import sync_env

TABLES = sorted(Base.metadata.tables)
VIEWS = sorted(views.metadata.tables)
WRITES = {
    "INSERT INTO subjects (id) VALUES ('x')",
    "UPDATE models SET name = 'x'",
    "DELETE FROM changes",
    "TRUNCATE changes",
    "DROP VIEW growth",
    "ALTER TABLE models ADD COLUMN x int",
    "CREATE TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "COMMENT ON TABLE models IS 'x'",
}


@pytest.fixture(scope="module")
def shared(postgres_url: str) -> Iterator[SharedDatabase]:
    """A database that `etl` filled before the other roles were created, as on the page."""
    with shared_database(postgres_url) as shared:
        with sync_env(shared.url_of("etl")) as env:
            env.sync()
            env.registry.set_tags(env.registry.ids("model-versions")[0], ["prod"])
            env.sync()
            shared.make_roles()
            env.registry.delete_model(env.registry.ids("models")[0])
            env.sync(allow_mass_delete=True)  # a sync still works
        yield shared


def count(shared: SharedDatabase, role: str, name: str) -> object:
    with shared.connect(role) as connection:
        row = connection.execute(sql.SQL("SELECT COUNT(*) FROM {}").format(sql.Identifier(name))).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("name", [*TABLES, *VIEWS])
def test_the_reader_counts_the_same_rows_as_the_owner_in_every_table_and_view(
    name: str, shared: SharedDatabase
) -> None:
    assert count(shared, "analyst", name) == count(shared, "etl", name)


def test_the_reader_finds_the_synced_rows(shared: SharedDatabase) -> None:
    for name in ("models", "current_models", "production_versions", "tag_history", "changes"):
        assert count(shared, "analyst", name)


@pytest.mark.parametrize("role", ["analyst", "dashboard"])
@pytest.mark.parametrize("statement", sorted(WRITES))
def test_a_reader_cannot_write_even_after_it_disables_read_only_transactions(
    statement: str, role: str, shared: SharedDatabase
) -> None:
    with shared.connect(role) as connection:
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement.encode())


@pytest.mark.parametrize("statement", sorted(WRITES))
def test_a_write_of_the_reader_fails_as_read_only(statement: str, shared: SharedDatabase) -> None:
    with shared.connect("analyst") as connection, pytest.raises(errors.ReadOnlySqlTransaction):
        connection.execute(statement.encode())


def test_the_reader_can_read_the_tables_of_a_later_migration(postgres_url: str) -> None:
    with shared_database(postgres_url) as shared:
        shared.make_roles()
        with engine_scope(shared.url_of("etl")) as engine:
            schema.downgrade(engine, "base")
            schema.upgrade(engine)
        for name in (*TABLES, *VIEWS):
            assert count(shared, "analyst", name) == count(shared, "etl", name)


def test_a_role_with_access_to_views_only_reads_no_table(shared: SharedDatabase) -> None:
    assert count(shared, "dashboard", "inventory") == count(shared, "etl", "inventory")
    with pytest.raises(errors.InsufficientPrivilege):
        count(shared, "dashboard", "models")


def test_dbt_writes_into_its_own_schema_and_nowhere_else(shared: SharedDatabase) -> None:
    with shared.connect("dbt") as connection:
        connection.execute("CREATE TABLE analytics.mart AS SELECT * FROM current_models")
        connection.execute("DROP TABLE analytics.mart")
        for statement in WRITES:
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement.encode())


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_of_the_page_run_for_the_reader(query: str, shared: SharedDatabase) -> None:
    with shared.connect("analyst") as connection:
        assert connection.execute(query.encode()).description


def test_the_reader_sees_the_comments_in_the_catalogue(shared: SharedDatabase) -> None:
    with shared.connect("analyst") as connection:
        found = connection.execute(
            "SELECT json_object_agg(a.attname, d.description) FROM pg_attribute a "
            "JOIN pg_description d ON d.objoid = a.attrelid AND d.objsubid = a.attnum "
            "WHERE a.attrelid = 'production_versions'::regclass AND a.attnum > 0"
        ).fetchone()
    assert found is not None
    assert found[0] == {column.name: column.comment for column in views.production_versions.columns}


def test_the_reader_has_statement_and_idle_timeouts(shared: SharedDatabase) -> None:
    with shared.connect("analyst") as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("1min",)
        assert connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() == ("1min",)
