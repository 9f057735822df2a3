"""Create, migrate and check the schema.

Every command checks the revision, which does not need Alembic.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Select, column, inspect, select, table
from sqlalchemy.schema import CreateSchema

import etl
from etl.errors import ConfigError, DatabaseLocked, SchemaMismatch
from etl.models import VERSION_TABLE, Base
from etl.setting_names import name_of
from etl.store import vocabulary
from etl.store.engine import dialect_of, is_in_memory, translate_errors
from etl.store.vocabulary import Vocabulary

_ATTEMPTS = 3
"""Attempts of a migration that other sessions block."""

_PAUSE_S = 1.0
"""Seconds between two attempts, in which the sessions that waited behind the migration continue."""

_NO_WORDS = Vocabulary()

_REVISION: Select[Any] = select(column("version_num")).select_from(table(VERSION_TABLE))

_log = logging.getLogger(__name__)


class _State(NamedTuple):
    """The state of a schema: the revision of tfy-etl's tables, if any, and all tables in it."""

    revision: str | None
    tables: frozenset[str]
    auto_migrate: bool

    @property
    def is_for_sync(self) -> bool:
        """Whether `sync` creates or migrates the tables."""
        return self.auto_migrate and self.revision != head() if self.revision else not self.tables


def upgrade(engine: Engine, revision: str = "head", *, words: Vocabulary = _NO_WORDS) -> None:
    """Upgrade the schema to the given revision, by default to the newest, and write the words of settings."""
    _upgrade(engine, revision, only_if=lambda _: True, words=words)


def _upgrade(engine: Engine, revision: str, only_if: Callable[[_State], bool], words: Vocabulary = _NO_WORDS) -> bool:
    """Upgrade the schema if `only_if` allows it; return whether it was upgraded.

    Raises DatabaseLocked if other sessions hold locks on the tables at every attempt.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return _try_upgrade(engine, revision, only_if, words)
        except DatabaseLocked as error:
            _log.warning("%s", error)
            time.sleep(_PAUSE_S)
    return _try_upgrade(engine, revision, only_if, words)


def _try_upgrade(engine: Engine, revision: str, only_if: Callable[[_State], bool], words: Vocabulary) -> bool:
    """Upgrade the schema, once.

    `only_if` is called again under the lock, when no other process can migrate the schema.
    """
    dialect = dialect_of(engine.url)
    with translate_errors(engine), engine.connect() as connection:
        state = _state(connection)
    if not only_if(state):
        return False
    from etl.store import comments, migrate  # noqa: PLC0415 most runs migrate nothing, and Alembic is slow to import

    with translate_errors(engine):
        if not state.tables:
            dialect.create(engine)
        with engine.begin() as connection:
            dialect.lock_schema_exclusive(connection)
            if not only_if(state := _state(connection)):
                return False
            if state.revision is None:
                dialect.check_may_create(connection)
            migrate.upgrade(connection, scripts(), revision)
            if _current(connection) == head():  # the mappings describe the newest revision only
                comments.write(connection)
                vocabulary.write_defaults(connection)
                vocabulary.write(connection, words)
    return True


def create_namespace(engine: Engine, name: str) -> None:
    """Create this schema of a PostgreSQL database, unless it exists."""
    with translate_errors(engine), engine.begin() as connection:
        # Not IF NOT EXISTS, which requires the privilege to create schemas even if this one exists.
        if not inspect(connection).has_schema(name):
            connection.execute(CreateSchema(name))


def downgrade(engine: Engine, revision: str) -> None:
    """Downgrade the schema to a revision."""
    from etl.store import migrate  # noqa: PLC0415 as above

    with translate_errors(engine), engine.begin() as connection:
        migrate.downgrade(connection, scripts(), revision)


def current(engine: Engine) -> str | None:
    """Return the revision of the database; None if it has no tables of tfy-etl."""
    with translate_errors(engine), engine.connect() as connection:
        return _current(connection)


def head() -> str:
    """Return the revision that this release needs."""
    return revisions()[-1]


def ensure(engine: Engine) -> None:
    """Create or migrate the tables if `sync` may do so, else raise SchemaMismatch with a fix.

    `sync` creates the tables in a schema without any table. It migrates an older revision only in a SQLite file.
    """
    if current(engine) == head():
        return
    changed = _upgrade(engine, "head", only_if=lambda state: state.is_for_sync)
    if changed and not is_in_memory(engine.url):
        _log.info("sync created or migrated the tables: they are at revision %s", head())
    check(engine)


def is_current(connection: Connection) -> bool:
    """Return whether the schema has this release's revision."""
    with connection.begin():
        return _current(connection) == head()


def check(engine: Engine) -> None:
    """Raise SchemaMismatch, with the fix, unless the schema has this release's revision."""
    if current(engine) == head():
        return
    with translate_errors(engine), engine.connect() as connection:
        state = _state(connection)
    if state.revision == head():  # another process has just created or migrated the tables
        return
    if state.revision is not None:
        raise SchemaMismatch(
            f"The database is at revision {state.revision}, this release needs {head()}: run tfy-etl db upgrade."
        )
    if state.tables:
        raise SchemaMismatch(
            "The schema has tables already, and none of tfy-etl: run tfy-etl db upgrade to create them beside those, "
            "or name another database."
        )
    raise SchemaMismatch(
        f"The database has no tables of tfy-etl yet: a sync without {name_of('dry_run')} creates them."
    )


def check_unchanged(connection: Connection) -> None:
    """Raise SchemaMismatch if another release has migrated the schema since the run began."""
    found = _current(connection)
    if found != head():
        raise SchemaMismatch(
            f"The database was migrated to revision {found} during this run, but this release ({etl.__version__}) "
            f"needs {head()}: nothing was written. Run the release that migrated it."
        )


def describe(engine: Engine) -> str:
    """Describe the state of the schema.

    Raises SchemaMismatch or ConfigError if `sync` would fail with it.
    """
    with translate_errors(engine), engine.connect() as connection:
        state = _state(connection)
        if state.is_for_sync and state.revision is None:
            dialect_of(engine.url).check_may_create(connection)
        if state.revision == head():
            dialect_of(engine.url).check_may_write(connection)
    if state.is_for_sync:
        return f"revision {state.revision}: sync migrates it to {head()}" if state.revision else "sync creates it"
    check(engine)
    return f"revision {head()}, as this release needs it"


def revisions() -> list[str]:
    """Return the revisions that this release has, oldest first, from the names of their files."""
    return sorted(path.name.partition("_")[0] for path in (scripts() / "versions").glob("[0-9]*_*.py"))


def scripts() -> Path:
    """Return the folder of the migrations, in an installed package or in a checkout."""
    package = Path(etl.__file__).parent
    shipped = package / "migrations"
    return shipped if shipped.is_dir() else package.parent / "migrations"


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(_REVISION).scalar_one_or_none()


def _state(connection: Connection) -> _State:
    """Read the state of a schema; ConfigError or SchemaMismatch if no command can use it."""
    dialect = dialect_of(connection.engine.url)
    # Read the tables before the revision. Another process commits both at once, so a revision read later is not older.
    tables = dialect.user_tables(connection) - {VERSION_TABLE}
    found = _current(connection)
    if found is None and (strange := Base.metadata.tables.keys() & tables):
        raise ConfigError(
            f"The database has a table {min(strange)} already, not created by tfy-etl: name another database."
        )
    if found is not None and found not in revisions():
        raise SchemaMismatch(
            f"The database is at revision {found}, which this release ({etl.__version__}) does not know: "
            "upgrade tfy-etl to the release that wrote it."
        )
    return _State(found, frozenset(tables), dialect.auto_migrate)
