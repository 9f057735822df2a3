import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, Table, inspect, text

from etl.errors import SchemaMismatch
from etl.models import VERSION_TABLE, Base, views
from etl.store import open_engine, schema
from tests.support.databases import migrate, new_database
from tests.support.paths import ROOT

VIEWS = list(views.metadata.tables.values())


@pytest.fixture
def empty(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def migrated(migrated_url: str) -> Iterator[Engine]:
    engine = open_engine(migrated_url)
    yield engine
    engine.dispose()


def revisions() -> list[str]:
    """All revisions as Alembic finds them, oldest first."""
    return [script.revision for script in ScriptDirectory(schema.scripts()).walk_revisions()][::-1]


def shape(engine: Engine) -> dict[str, list[str]]:
    """Every table and view with its columns."""
    inspector = inspect(engine)
    names = set(inspector.get_table_names()) | set(inspector.get_view_names())
    return {
        name: [f"{column['name']} {column['type']}" for column in inspector.get_columns(name)]
        for name in names - {VERSION_TABLE}
    }


def test_there_is_one_head() -> None:
    assert ScriptDirectory(schema.scripts()).get_heads() == [schema.head()]


def test_revisions_are_ordered_as_alembic_reads_them() -> None:
    assert schema.revisions() == revisions()


def test_every_revision_can_be_upgraded_downgraded_and_upgraded_again(empty: Engine) -> None:
    for revision in revisions():
        before = shape(empty)
        below = schema.current(empty) or "base"
        schema.upgrade(empty, revision)
        after = shape(empty)
        schema.downgrade(empty, below)
        assert shape(empty) == before
        schema.upgrade(empty, revision)
        assert shape(empty) == after != before

    assert schema.current(empty) == schema.head()


def test_the_models_agree_with_the_migrations(migrated: Engine) -> None:
    def is_ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name != VERSION_TABLE

    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
        assert compare_metadata(context, Base.metadata) == []


def test_indexes_with_a_condition_are_partial(migrated: Engine) -> None:
    """Alembic does not compare the conditions of indexes."""
    indexes = {index.name: index for table in Base.metadata.tables.values() for index in table.indexes}
    partial = {name for name, index in indexes.items() if index.info}
    catalogue = "sqlite_master" if migrated.dialect.name == "sqlite" else "pg_indexes"
    columns = "name, sql" if migrated.dialect.name == "sqlite" else "indexname, indexdef"
    with migrated.connect() as connection:
        found = connection.execute(text(f"SELECT {columns} FROM {catalogue}")).all()  # noqa: S608 names of our own

    assert {name for name, sql in found if name in indexes and " WHERE " in sql} == partial
    assert partial >= {"ix_models_deleted_at", "ix_sync_runs_full"}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_the_columns_of_a_view_are_those_of_its_mapping(migrated: Engine, view: Table) -> None:
    found = [column["name"] for column in inspect(migrated).get_columns(view.name)]

    assert found == [column.name for column in view.columns]


def test_every_view_has_an_sql_file_and_every_file_a_view() -> None:
    assert {path.stem for path in (schema.scripts() / "sql").iterdir()} == {view.name for view in VIEWS}


@pytest.fixture
def postgresql(postgres_url: str, migrated_template: str) -> Iterator[Engine]:
    """A migrated PostgreSQL database, which a test may change."""
    with new_database(postgres_url, template=migrated_template) as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()


def test_ids_are_compared_by_bytes_in_postgresql(postgresql: Engine) -> None:
    query = """
        SELECT a.attname, c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
          AND a.attnum > 0 AND a.atttypid = 'text'::regtype AND (a.attname = 'id' OR a.attname LIKE '%\\_id')
          AND a.attcollation <> (SELECT oid FROM pg_collation WHERE collname = 'C' AND collprovider = 'c')
    """
    with postgresql.connect() as connection:
        assert connection.exec_driver_sql(query.replace("%", "%%")).all() == []


def comments(engine: Engine) -> dict[str, str | None]:
    """Return the stored comment of each table and view, and of each column as `table.column`."""
    query = """
        SELECT c.relname || COALESCE('.' || a.attname, '') AS name, obj_description(c.oid, 'pg_class') AS of_relation,
               col_description(c.oid, a.attnum) AS of_column, a.attname
        FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> :ours
    """
    with engine.connect() as connection:
        rows = connection.execute(text(query), {"ours": VERSION_TABLE}).all()
    of_columns = {row.name: row.of_column for row in rows}
    return of_columns | {row.name.split(".")[0]: row.of_relation for row in rows}


def mapped_comments() -> dict[str, str | None]:
    """Return the comments that the mappings define."""
    relations = (*Base.metadata.tables.values(), *VIEWS)
    of_columns = {f"{table.name}.{column.name}": column.comment for table in relations for column in table.columns}
    return of_columns | {table.name: table.comment for table in relations}


def test_postgresql_has_a_comment_for_each_table_view_and_column(postgresql: Engine) -> None:
    assert comments(postgresql) == mapped_comments()


def test_upgrade_writes_only_comments_that_differ(postgresql: Engine) -> None:
    def stored() -> set[tuple[int, ...]]:
        with postgresql.connect() as connection:
            found = connection.execute(text("SELECT objoid, objsubid, xmin::text::bigint FROM pg_description"))
            return {tuple(row) for row in found}

    before = stored()
    with postgresql.begin() as connection:
        connection.execute(text("COMMENT ON TABLE models IS 'as an older release said it'"))
        connection.execute(text("COMMENT ON VIEW current_models IS NULL"))
        connection.execute(text("COMMENT ON COLUMN models.name IS NULL"))
    assert comments(postgresql) != mapped_comments()
    schema.upgrade(postgresql)

    assert comments(postgresql) == mapped_comments()
    assert len(stored() - before) == 3


def test_upgrade_to_an_older_revision_writes_no_comments(postgresql: Engine) -> None:
    schema.downgrade(postgresql, schema.revisions()[-2])
    with postgresql.begin() as connection:
        connection.execute(text("COMMENT ON TABLE models IS 'as that release said it'"))
    schema.upgrade(postgresql, schema.revisions()[-2])

    assert comments(postgresql)["models"] == "as that release said it"


def test_new_sqlite_file_has_a_write_ahead_log(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
    engine.dispose()


def test_older_schema_is_migrated_in_sqlite_and_refused_in_postgresql(empty: Engine, dialect: str) -> None:
    schema.upgrade(empty, "0001")
    with pytest.raises(SchemaMismatch, match=f"is at revision 0001, this release needs {schema.head()}: run"):
        schema.check(empty)
    if dialect == "sqlite":
        assert schema.describe(empty) == f"revision 0001: sync migrates it to {schema.head()}"
        schema.ensure(empty)
        assert schema.current(empty) == schema.head()
    else:
        with pytest.raises(SchemaMismatch, match="is at revision 0001"):
            schema.ensure(empty)


def test_newer_schema_is_refused(migrated: Engine) -> None:
    with migrated.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))  # noqa: S608 our own name
    for operation in (schema.ensure, schema.describe, schema.check, schema.upgrade):
        with pytest.raises(SchemaMismatch, match=r"at revision 9999, which this release .* does not know"):
            operation(migrated)


def test_current_schema_is_described_as_current(migrated: Engine) -> None:
    schema.ensure(migrated)
    schema.upgrade(migrated)

    assert schema.describe(migrated) == f"revision {schema.head()}, as this release needs it"


def test_other_tables_of_a_shared_database_are_unchanged(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
        connection.execute(text("CREATE TABLE theirs (id INTEGER)"))
    schema.upgrade(empty)
    schema.downgrade(empty, "base")

    assert shape(empty).keys() == {"alembic_version", "theirs"}


def test_alembic_command_migrates_the_database_of_the_environment(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    environment = os.environ | {"TFY_ETL_DATABASE_URL": url}
    subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, env=environment, check=True)
    engine = open_engine(url)
    found = schema.current(engine)
    engine.dispose()

    assert found == schema.head()


def test_migrated_database_can_be_migrated_again(database_url: str) -> None:
    migrate(database_url)
    migrate(database_url)
