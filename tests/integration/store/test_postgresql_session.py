"""Sessions with PostgreSQL have fixed settings, schema and locks, whatever the defaults of role and database."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url, text

from etl.errors import ConfigError, DatabaseLocked, LockHeld
from etl.models import Model
from etl.settings import Settings
from etl.store import ALL_REPOS, Store, engine_scope, open_engine, schema
from etl.store.dialects import postgresql_session
from tests.support.databases import libpq, new_database
from tests.support.sync_env import sync_env


@pytest.fixture
def url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    with new_database(postgres_url, template=migrated_template) as url:
        yield url


def run_sql(url: str, *statements: str | sql.Composed) -> None:
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def alter_database(url: str, setting: str) -> None:
    name = sql.Identifier(str(make_url(url).database))
    run_sql(url, sql.SQL("ALTER DATABASE {} SET ").format(name) + sql.SQL(setting))


def with_search_path(url: str, path: str) -> str:
    return make_url(url).update_query_dict({"options": f"-csearch_path={path}"}).render_as_string(hide_password=False)


@pytest.mark.parametrize("setting", ["DateStyle = 'German'", "client_encoding = 'LATIN1'", "TimeZone = 'Asia/Tokyo'"])
def test_settings_of_the_database_change_nothing_in_a_run(url: str, setting: str) -> None:
    alter_database(url, setting)
    with sync_env(url) as env:
        env.sync()
        env.registry.set_description(env.registry.ids("model-versions")[0], "Grüße, 世界")
        assert env.sync(full=True).status == "succeeded"
        assert env.held() == env.served()


def test_no_session_uses_jit(url: str) -> None:
    alter_database(url, "jit = on")
    with engine_scope(url) as engine, engine.connect() as connection:
        assert connection.scalar(text("SHOW jit")) == "off"


@pytest.mark.parametrize(("given", "used"), [("4MB", "64MB"), ("1GB", "1GB")])
def test_session_has_memory_to_compare_large_tables(url: str, given: str, used: str) -> None:
    alter_database(url, f"work_mem = '{given}'")
    with engine_scope(url) as engine, engine.connect() as connection:
        assert connection.scalar(text("SHOW work_mem")) == used


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_a_database_that_cannot_hold_all_text_is_refused_in_one_line(postgres_url: str, encoding: str) -> None:
    name = f"test_{encoding.lower()}"
    create = "CREATE DATABASE {} ENCODING {} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    run_sql(postgres_url, sql.SQL(create).format(sql.Identifier(name), sql.Literal(encoding)))
    try:
        url = make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
        with (
            engine_scope(url) as engine,
            pytest.raises(ConfigError, match=rf"the encoding {encoding}, .* ENCODING 'UTF8'"),
        ):
            schema.upgrade(engine)
    finally:
        run_sql(postgres_url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_two_search_paths_to_the_same_tables_take_the_same_lock(url: str) -> None:
    run_sql(url, "CREATE SCHEMA other")
    with Store(with_search_path(url, "other,public")) as one, Store(with_search_path(url, "public")) as two:
        one.lock(ALL_REPOS, 0)
        with pytest.raises(LockHeld):
            two.lock(ALL_REPOS, 0)
        with one.connection.begin():
            assert one.connection.scalar(text("SELECT current_schema()")) == "public"


def test_two_control_planes_have_a_schema_each(postgres_url: str) -> None:
    with new_database(postgres_url) as url:
        run_sql(url, 'CREATE SCHEMA "Team A"', "CREATE SCHEMA team_b")
        settings = [Settings(database_url=url, schema=name) for name in ("Team A", "team_b")]
        with sync_env(settings[0].database()) as one, sync_env(settings[1].database()) as other:
            one.registry.delete_model(one.registry.ids("models")[0])
            assert [env.sync().status for env in (one, other)] == ["succeeded", "succeeded"]
            assert [len(env.rows(Model)) for env in (one, other)] == [
                len(env.registry.ids("models")) for env in (one, other)
            ]
            assert one.held() == one.served()


def test_a_schema_that_does_not_exist_is_refused_with_the_fix(url: str) -> None:
    with (
        engine_scope(Settings(database_url=url, schema="nowhere").database()) as engine,
        pytest.raises(ConfigError, match="create one with tfy-etl db upgrade"),
    ):
        schema.ensure(engine)


@pytest.mark.parametrize(
    ("database_url", "message"),
    [
        ("sqlite:///x.db", "--schema needs a PostgreSQL database"),
        ("postgresql://host/db?options=-cx=1", "--database-url has options already"),
    ],
)
def test_a_schema_that_does_not_fit_the_database_is_refused(database_url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Settings(database_url=database_url, schema="x").database()


@pytest.fixture
def short_lock_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time that sessions wait for locks."""
    monkeypatch.setattr(postgresql_session, "LOCK_TIMEOUT_S", 0.2)
    monkeypatch.setattr(postgresql_session, "MIGRATION_LOCK_TIMEOUT_S", 0.2)
    monkeypatch.setattr(schema, "_PAUSE_S", 0)


def lock_message(pid: int) -> str:
    return rf"session {pid} \(role \w+, application psql, idle in transaction\) holds a lock on the tables"


@pytest.mark.usefixtures("short_lock_timeouts")
def test_migration_that_waits_for_a_lock_ends_and_names_the_session(postgres_url: str) -> None:
    with new_database(postgres_url) as url, engine_scope(url) as engine:
        schema.upgrade(engine, "0001")
        with psycopg.connect(libpq(url), application_name="psql") as other:
            other.execute("LOCK TABLE models IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(DatabaseLocked, match=lock_message(other.info.backend_pid)):
                schema.upgrade(engine)
        schema.upgrade(engine)
        assert schema.current(engine) == schema.head()


@pytest.mark.usefixtures("short_lock_timeouts")
def test_merge_that_waits_for_a_lock_ends_writes_nothing_and_names_the_session(url: str) -> None:
    with sync_env(url) as env, psycopg.connect(libpq(url), application_name="psql") as other:
        other.execute("LOCK TABLE models IN EXCLUSIVE MODE")
        with pytest.raises(DatabaseLocked, match=lock_message(other.info.backend_pid)):
            env.sync()
        other.rollback()
        assert env.rows(Model) == []
        assert env.sync().status == "succeeded"


def test_blocking_session_is_none_if_no_session_holds_a_lock(url: str) -> None:
    engine = open_engine(url)
    with engine.connect() as connection:
        assert postgresql_session.blocking_session(connection) is None
    engine.dispose()


READ_TABLES = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}"
WRITE_TABLES = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}"
USE_SEQUENCES = "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}"


@pytest.mark.parametrize(
    ("grants", "refusal", "fix"),
    [
        ([READ_TABLES], "permission denied for table", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES"),
        ([WRITE_TABLES], "permission denied for sequence", "GRANT USAGE ON ALL SEQUENCES"),
        ([WRITE_TABLES, USE_SEQUENCES, "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC"],
         r"permission denied to create temporary tables in database \S+: grant", "GRANT TEMPORARY ON DATABASE"),
        ([WRITE_TABLES, USE_SEQUENCES, "ALTER ROLE {} SET default_transaction_read_only = on"],
         "in a read-only transaction: use a role and a server that may write", "can only read here"),
    ],
)  # fmt: skip
def test_role_that_may_not_write_is_refused_by_runs_and_by_describe(
    url: str, grants: list[str], refusal: str, fix: str
) -> None:
    database = str(make_url(url).database)
    role = f"reader_{database[-8:]}"
    name = {"database": sql.Identifier(database)}
    with sync_env(url) as env:
        env.sync()
        before = env.registry_dump()
        env.registry.set_tags(env.registry.ids("model-versions")[0], ["changed"])
        run_sql(url, sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        try:
            run_sql(url, *(sql.SQL(grant).format(sql.Identifier(role), **name) for grant in grants))
            role_url = make_url(url).set(username=role).render_as_string(hide_password=False)
            with pytest.raises(ConfigError, match=refusal):
                env.sync(database_url=role_url)
            with engine_scope(role_url) as engine, pytest.raises(ConfigError, match=fix):
                schema.describe(engine)

            assert env.registry_dump() == before
        finally:
            run_sql(url, *(sql.SQL(drop).format(sql.Identifier(role)) for drop in ("DROP OWNED BY {}", "DROP ROLE {}")))
