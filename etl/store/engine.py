"""Create an engine from a database URL, and translate a driver's exceptions."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from urllib.parse import unquote

from sqlalchemy import URL, Connection, Engine, Transaction, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool, StaticPool

from etl.errors import ConfigError, missing_extra
from etl.redaction import PASSWORD_PARAMETERS
from etl.store.dialects import sqlite
from etl.store.dialects.base import DatabaseDialect
from etl.store.repo_scope import ALL_REPOS
from etl.store.staging_tables import TEMPORARY

# Only the module of the database in use is imported.
_DIALECTS = {"sqlite": "etl.store.dialects.sqlite", "postgresql": "etl.store.dialects.postgresql"}
_DRIVERS = {"postgresql": "psycopg"}
_EXTRAS = {"postgresql": "postgres"}

# SQLAlchemy before 2.1 leaves %20 in the name of a database or a file.
_DECODES_DATABASE = make_url("sqlite:///%20").database == " "


def parse_url(text: str) -> URL:
    """Parse and check a database URL. ConfigError if it is no URL, or its scheme is unknown."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            "The database URL cannot be read: write sqlite:///file.db or postgresql://user:password@host/database."
        ) from error
    if "@" in (url.host or ""):  # the host contains the end of the password, so no message may quote it
        raise ConfigError("The database URL has more than one @: write the one in the password as %40.")
    if url.database and not _DECODES_DATABASE:
        url = url.set(database=unquote(url.database))
    if url.get_backend_name() == "postgres":
        url = url.set(drivername="postgresql")
    if url.get_backend_name() not in _DIALECTS:
        known = ", ".join(f"{name}://" for name in sorted(_DIALECTS))
        raise ConfigError(f"No database of the kind {url.get_backend_name()!r} is supported: use one of {known}.")
    if is_in_memory(url):
        raise ConfigError("The database URL names no file: write sqlite:///file.db.")
    # SQLAlchemy before 2.1 uses another driver for a plain `postgresql://`.
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def dialect_of(url: URL) -> DatabaseDialect:
    """Return the dialect of this kind of database."""
    dialect: DatabaseDialect = import_module(_DIALECTS[url.get_backend_name()]).DIALECT
    return dialect


def open_engine(text: str, *, read_only: bool = False) -> Engine:
    """Create an engine for the URL. Opens no connection; ConfigError if the URL cannot work.

    `read_only` creates no file: a missing file is treated as an empty database.
    """
    url = make_url("sqlite://") if read_only and is_new_file(text) else parse_url(text)
    dialect = dialect_of(url)
    dialect.check_url(url)
    try:
        engine = create_engine(
            url,
            poolclass=StaticPool if is_in_memory(url) else NullPool,
            # A returned connection is closed, so it needs no rollback. After a signal, a rollback could even fail.
            pool_reset_on_return=None,
            execution_options={"schema_translate_map": {TEMPORARY: dialect.temporary_schema}},
        )
    except NoSuchModuleError as error:
        raise ConfigError(f"SQLAlchemy has no driver {url.drivername!r}: use postgresql:// or sqlite:///.") from error
    except ModuleNotFoundError as error:
        name = url.get_backend_name()
        ours = url.get_driver_name() == _DRIVERS.get(name)
        if ours:
            raise missing_extra("PostgreSQL", _EXTRAS[name]) from error
        raise ConfigError(f"The driver of {url.drivername}:// is not installed: use {name}://.") from error
    dialect.prepare(engine)
    return engine


@contextmanager
def translate_errors(engine: Engine) -> Iterator[None]:
    """Turn database errors into EtlErrors: one line with the next step."""
    driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
    try:
        yield
    except DBAPIError as error:
        cause = error.orig if isinstance(error.orig, Exception) else error
        raise dialect_of(engine.url).translate_error(cause, engine) from error
    except driver_error as error:  # from COPY, which bypasses SQLAlchemy
        raise dialect_of(engine.url).translate_error(error, engine) from error


@contextmanager
def writing(connection: Connection) -> Iterator[Transaction]:
    """Begin a transaction that writes permanent tables; SQLite takes its write lock at once."""
    connection.execution_options(writes=True)
    try:
        with connection.begin() as transaction:
            yield transaction
    finally:
        connection.execution_options(writes=False)


def is_in_memory(url: URL) -> bool:
    """Whether the URL names an in-memory database, which is lost on close."""
    return url.get_backend_name() == "sqlite" and sqlite.file_of(url) is None


def is_new_file(text: str) -> bool:
    """Whether the URL names a SQLite file that does not exist yet."""
    url = parse_url(text)
    dialect_of(url).check_url(url)
    path = sqlite.file_of(url) if url.get_backend_name() == "sqlite" else None
    return path is not None and not path.exists()


@contextmanager
def engine_scope(text: str, *, read_only: bool = False) -> Iterator[Engine]:
    """Open an engine, and dispose of it at the end; see `open_engine`."""
    engine = open_engine(text, read_only=read_only)
    try:
        with translate_errors(engine):
            yield engine
    finally:
        engine.dispose()


def describe_database(engine: Engine, text: str) -> str:
    """Describe the database: its kind, version and address."""
    if is_new_file(text):
        return f"SQLite, {parse_url(text).database} does not exist yet: sync creates it"
    with engine.connect() as connection:
        version = ".".join(str(part) for part in connection.dialect.server_version_info or ())
    if engine.dialect.name == "sqlite":
        return f"SQLite {version}, {engine.url.database}"
    address = engine.url.difference_update_query(PASSWORD_PARAMETERS)
    return f"PostgreSQL {version}, {address.render_as_string(hide_password=True)}"


def check_lock_free(engine: Engine) -> str:
    """Take the lock of the whole registry and release it; LockHeld if a run holds it."""
    with ExitStack() as stack:
        stack.enter_context(
            dialect_of(engine.url).run_lock(engine, lambda: stack.enter_context(engine.connect()), ALL_REPOS, 0)
        )
        return "no other run is in progress"
