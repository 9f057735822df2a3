"""The schema's revision: create, migrate, tell. Alembic does the work, from wherever the package is installed."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect

import etl
from etl.errors import SchemaMismatch
from etl.store.engine import database_of, explained, is_in_memory

VERSION_TABLE = "tfy_etl_version"
"""Not Alembic's own name: a shared database may hold other projects' migrations too."""

_log = logging.getLogger(__name__)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to the newest revision, or to the one given."""
    with explained(engine), engine.connect() as connection:
        _refuse_unknown(connection)
        empty = not inspect(connection).get_table_names()
    if empty:
        with explained(engine):
            database_of(engine.url).create(engine)
    with explained(engine), engine.begin() as connection:
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to a revision."""
    with explained(engine), engine.begin() as connection:
        command.downgrade(_config(connection), revision)


def current(engine: Engine) -> str | None:
    """The revision of the database, None when it has no schema of ours."""
    with explained(engine), engine.connect() as connection:
        return _current(connection)


def head() -> str:
    """The revision that this release works with."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None  # noqa: S101 the wheel carries the migrations
    return revision


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


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def _refuse_unknown(connection: Connection) -> None:
    found = _current(connection)
    if found is None:
        return
    try:
        ScriptDirectory.from_config(_config()).get_revision(found)
    except CommandError as error:
        raise SchemaMismatch(
            f"The database is at revision {found}, which this release ({etl.__version__}) does not know: "
            "upgrade tfy-etl to the release that wrote it."
        ) from error


def _config(connection: Connection | None = None) -> Config:
    package = Path(etl.__file__).parent
    shipped = package / "migrations"
    config = Config()
    config.set_main_option("script_location", str(shipped if shipped.is_dir() else package.parent / "migrations"))
    config.attributes["connection"] = connection
    return config
