"""The schema's revision: create, migrate, tell. To tell is for every command, and does without Alembic."""

import logging
from pathlib import Path

from sqlalchemy import Connection, Engine, column, inspect, select, table

import etl
from etl.errors import ConfigError, SchemaMismatch
from etl.models import Base
from etl.store.engine import database_of, explained, is_in_memory

VERSION_TABLE = "tfy_etl_version"
"""Not Alembic's own name: a shared database may hold other projects' migrations too."""

_log = logging.getLogger(__name__)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to the newest revision, or to the one given."""
    from etl.store import comments, migrate  # noqa: PLC0415 most runs find nothing to migrate, and Alembic takes long to load

    with explained(engine), engine.connect() as connection:
        _refuse_unknown(connection)
        empty = not inspect(connection).get_table_names()
    if empty:
        with explained(engine):
            database_of(engine.url).create(engine)
    with explained(engine), engine.begin() as connection:
        migrate.upgrade(connection, scripts(), revision)
        if _current(connection) == head():  # the words are those of the newest revision
            comments.write(connection)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to a revision."""
    from etl.store import migrate  # noqa: PLC0415 as above

    with explained(engine), engine.begin() as connection:
        migrate.downgrade(connection, scripts(), revision)


def current(engine: Engine) -> str | None:
    """The revision of the database, None when it has no schema of ours."""
    with explained(engine), engine.connect() as connection:
        return _current(connection)


def head() -> str:
    """The revision that this release works with."""
    return revisions()[-1]


def ensure(engine: Engine) -> None:
    """The schema is as this release needs it when this returns.

    A SQLite file of the user's own is created and migrated; a shared database is left alone and SchemaMismatch says
    what to do.
    """
    if database_of(engine.url).IS_OWN and current(engine) != head():
        if not is_in_memory(engine.url):
            _log.info("the database's schema is brought to revision %s", head())
        upgrade(engine)
    check(engine)


def check(engine: Engine) -> None:
    """SchemaMismatch, with what to do, unless the schema is as this release needs it."""
    found = current(engine)
    if found == head():
        return
    with explained(engine), engine.connect() as connection:
        _refuse_unknown(connection)
    state = "has no tables of tfy-etl yet" if found is None else f"is at revision {found}, this release needs {head()}"
    raise SchemaMismatch(f"The database {state}: run tfy-etl db upgrade.")


def describe(engine: Engine) -> str:
    """The state of the schema in words; SchemaMismatch when a sync would refuse it."""
    found = current(engine)
    if found is not None and found == head():
        return f"revision {found}, as this release needs it"
    if not database_of(engine.url).IS_OWN:
        check(engine)
    with explained(engine), engine.connect() as connection:
        _refuse_unknown(connection)
    return "sync creates it" if found is None else f"revision {found}: sync brings it to {head()}"


def revisions() -> list[str]:
    """The revisions that this release knows, oldest first: each is the first word of its file's name."""
    return sorted(path.name.partition("_")[0] for path in (scripts() / "versions").glob("[0-9]*_*.py"))


def scripts() -> Path:
    """The folder of the migrations, wherever the package is installed."""
    package = Path(etl.__file__).parent
    shipped = package / "migrations"
    return shipped if shipped.is_dir() else package.parent / "migrations"


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar_one_or_none()


def _refuse_unknown(connection: Connection) -> None:
    found = _current(connection)
    if found is None and (strange := Base.metadata.tables.keys() & set(inspect(connection).get_table_names())):
        raise ConfigError(
            f"The database has a table {min(strange)} already, which tfy-etl did not make: name another database."
        )
    if found is not None and found not in revisions():
        raise SchemaMismatch(
            f"The database is at revision {found}, which this release ({etl.__version__}) does not know: "
            "upgrade tfy-etl to the release that wrote it."
        )
