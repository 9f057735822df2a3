"""The SQLite dialect: file, pragmas, lock file, bulk loading, lists of ids."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    FromClause,
    SQLColumnExpression,
    Table,
    TypeDecorator,
    bindparam,
    case,
    column,
    event,
    func,
    inspect,
)
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.types import Text
from typing_extensions import override

from etl.errors import ConfigError, LockHeld, StoreError
from etl.models.types import RegistryText, escaped_all
from etl.setting_names import name_of
from etl.store.dialects.base import DatabaseDialect
from etl.store.repo_scope import RepoScope
from etl.store.staging_tables import MOMENTS_MS

# Long enough for another program's short write, and short enough to report one that does not end.
BUSY_TIMEOUT_MS = 30_000

# Keys have no order, so a merge accesses the indexes at random. A larger cache was not faster.
CACHE_KB = 8 * 1024

# The number of parameters in one statement that every SQLite accepts.
_VARIABLES = 999


def _check_file(path: Path) -> None:
    if "\0" in str(path):
        raise ConfigError(f"The file name in {name_of('database_url')} contains a NUL character (%00): remove it.")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: name a file in {name_of('database_url')}.")
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is not a file: name one in {name_of('database_url')}.")
    if not path.parent.is_dir():
        raise ConfigError(f"The folder {path.parent} does not exist: create it, or change {name_of('database_url')}.")
    if path.exists():
        if path.stat().st_nlink > 1:
            raise ConfigError(
                f"{path} has another name, a hard link, which SQLite's locks do not cover: remove it, or use a copy."
            )
        # Only SQLite opens the file: closing it elsewhere in this process would free the locks of all its connections.
        if not os.access(path, os.R_OK):
            raise ConfigError(f"Cannot read {path} (Permission denied): fix its permissions.")
    elif not os.access(path.parent, os.W_OK):
        raise ConfigError(
            f"Cannot create {path}: fix the permissions of its folder, or change {name_of('database_url')}."
        )


def file_of(url: URL) -> Path | None:
    """Return the database's file; None for an in-memory database."""
    return None if url.database in {None, "", ":memory:"} else Path(str(url.database))


def readonly_uri(path: Path) -> str:
    """Return the URI for a reader that sees later commits.

    ConfigError if SQLite cannot follow the file.
    """
    if _is_readable_as_immutable_only(path):
        raise ConfigError(f"The folder of {path} cannot be written, which SQLite needs to follow runs: use a copy.")
    return f"{path.resolve().as_uri()}?mode=ro"


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _is_readable_as_immutable_only(path: Path) -> bool:
    """Whether SQLite can read the file only as immutable.

    Then the folder is read-only, and SQLite cannot create the `-shm` file that readers share in WAL mode. If a run left
    a `-wal` file, the answer is False, because the database file alone may lack the newest commits.
    """
    return path.exists() and not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()


class _JsonArray(TypeDecorator[Sequence[str]]):
    """A parameter with an array of texts, as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str:  # noqa: ARG002 SQLAlchemy's signature
        """Escape and serialize the texts."""
        return json.dumps(value and escaped_all(value))


class SqliteDialect(DatabaseDialect):
    """SQLite: one file, one writer."""

    temporary_schema = "temp"
    auto_migrate = True  # the file belongs to the user who runs the command
    staged_json = None
    # CURRENT_TIMESTAMP has a resolution of only one second.
    now = func.strftime("%Y-%m-%d %H:%M:%f000", "now")

    @override
    def check_url(self, url: URL) -> None:
        """Raise ConfigError if the URL's file cannot be used as a database."""
        path = file_of(url)
        if path is None:
            return
        if url.host or url.username:
            raise ConfigError(
                "A SQLite URL names no host: write sqlite:///file.db, or four slashes before a full path."
            )
        if url.query:
            raise ConfigError("A SQLite URL has no parameters: write a question mark in a file name as %3F.")
        try:
            _check_file(path)
        except OSError as error:
            raise ConfigError(f"Cannot read {path} ({error.strerror}): fix its permissions.") from error

    @override
    def prepare(self, engine: Engine) -> None:
        """Set up each connection, and let SQLAlchemy begin transactions instead of the driver."""

        @event.listens_for(engine, "do_connect")
        def _look(_dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
            path = file_of(engine.url)
            if path is not None and _is_readable_as_immutable_only(path):
                arguments[0], options["uri"] = f"{path.resolve().as_uri()}?immutable=1", True  # see `verify_unchanged`

        @event.listens_for(engine, "connect")
        def _connect(connection: sqlite3.Connection, _record: object) -> None:
            connection.isolation_level = None
            for pragma in (
                "foreign_keys = ON",
                f"busy_timeout = {BUSY_TIMEOUT_MS}",
                "synchronous = NORMAL",
                f"cache_size = -{CACHE_KB}",
            ):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "invalidate")
        def _give_up(connection: sqlite3.Connection, _record: object, _error: BaseException | None) -> None:
            # A signal may interrupt a statement between its rows. The statement outlives the closed connection, and
            # would keep the write lock, for which the failed run's end could then wait in vain.
            connection.rollback()

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # A merge takes the write lock first: SQLite cannot wait for it when a read transaction starts to write.
            writes = connection.get_execution_options().get("writes", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    @override
    @contextmanager
    def verify_unchanged(self, url: URL) -> Iterator[None]:
        """Raise StoreError if a run wrote the file within the block while it was open as immutable.

        The queries may then have read a mix of states. A file is opened as immutable only if SQLite cannot read it in
        another way.
        """
        path = file_of(url)
        if path is None or not _is_readable_as_immutable_only(path):
            yield
            return
        before = _state(path)
        try:
            yield
        finally:
            if _state(path) != before or Path(f"{path}-wal").exists():
                raise StoreError(
                    f"A run wrote {path} at the same time, and its folder does not allow readers to follow: try again."
                )

    @override
    def user_tables(self, connection: Connection) -> set[str]:
        """Return the names of the tables in the file."""
        return set(inspect(connection).get_table_names())

    @override
    def lock_schema_exclusive(self, connection: Connection) -> None:
        """Do nothing: SQLite allows one writer at a time."""

    @override
    def lock_schema_shared(self, connection: Connection) -> None:
        """Do nothing: SQLite allows one writer at a time."""

    @override
    def check_may_create(self, connection: Connection) -> None:
        """Do nothing: a user who can write the file can create tables in it."""

    @override
    def check_may_write(self, connection: Connection) -> None:
        path = file_of(connection.engine.url)
        if path is not None and not os.access(path, os.W_OK):
            raise ConfigError(f"Cannot write {path} (Permission denied): fix its permissions.")

    @override
    def create(self, engine: Engine) -> None:
        """Create the file in WAL mode, in which readers and a run do not block each other."""
        with closing(engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA journal_mode = WAL")

    @override
    @contextmanager
    def run_lock(
        self, engine: Engine, connect: Callable[[], Connection], repos: RepoScope, wait: float
    ) -> Iterator[None]:
        """Hold the lock file next to the database; the system frees it when the process dies.

        Raises LockHeld if another run still holds it after `wait` seconds.
        """
        path = file_of(engine.url)
        if path is None:
            yield
            return
        lock = FileLock(f"{path.resolve()}.lock", timeout=wait)  # resolved: the same lock for every path to the file
        try:
            lock.acquire()
        except Timeout as error:
            if not Path(lock.lock_file).exists():  # some file systems report a refused write as a held lock
                raise ConfigError(
                    f"Cannot write beside {path}: name a file elsewhere in {name_of('database_url')}."
                ) from error
            raise LockHeld(
                f"Another run is in progress on {path}: wait for it to end. With {name_of('lock_wait')}, in seconds, "
                "a sync waits by itself."
            ) from error
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(
                f"Cannot write beside {path} ({reason}): name a file elsewhere in {name_of('database_url')}."
            ) from error
        try:
            yield
        finally:
            lock.release()

    @override
    def begin_snapshot(self, connection: Connection) -> None:
        """Do nothing: every SQLite transaction sees one state of the file."""

    @override
    def wait_for_merges(self, connection: Connection) -> None:
        """Do nothing: only one run at a time holds the lock file, whatever its scope."""

    @override
    def insert(self, table: Table) -> Insert:
        return Insert(table)

    @override
    def ids(self, values: Sequence[str] | None = None) -> FromClause:
        """Return the values as a table, from one JSON array instead of a long IN list."""
        given: dict[str, Any] = {"required": True} if values is None else {"value": values, "unique": True}
        array = bindparam("ids", type_=_JsonArray, **given)
        return func.json_each(array).table_valued(column("value", RegistryText))

    @override
    def from_epoch_ms(self, milliseconds: Column[int]) -> ColumnElement[Any]:
        """Convert milliseconds since 1970 to the stored text; NULL outside the years 1 to 9999."""
        # The division loses nothing, because SQLite rounds to milliseconds.
        moment = func.strftime("%Y-%m-%d %H:%M:%f000", milliseconds / 1000.0, "unixepoch", type_=Text)
        return case((milliseconds.between(*MOMENTS_MS), moment))

    @override
    def day_of(self, moment: SQLColumnExpression[Any]) -> ColumnElement[str]:
        return func.substr(moment, 1, 10, type_=Text)

    @override
    def begin_staging(self, connection: Connection, create: Sequence[str]) -> None:
        with connection.begin():
            for statement in create:
                connection.exec_driver_sql(statement)

    @override
    def end_staging(self, connection: Connection) -> None:
        """Do nothing: transactions are the same for staging and for writing."""

    @override
    def load(self, connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert encoded rows into a staging table, many rows in one statement.

        The overhead of a statement is about the cost of one row.
        """
        width = len(table.columns)
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        marks = f"({', '.join('?' * width)})"
        values = tuple(chain.from_iterable(rows))
        done = 0
        for rows_each in (_VARIABLES // width, 1):
            size = rows_each * width
            batches = [values[start : start + size] for start in range(done, len(values) - size + 1, size)]
            if batches:
                many = ", ".join([marks] * rows_each)
                connection.exec_driver_sql(f'INSERT INTO temp."{table.name}" ({names}) VALUES {many}', batches)  # noqa: S608 the names are from the mappings
            done += len(batches) * size

    @override
    def analyze(self, connection: Connection, tables: Iterable[Table]) -> None:
        """Do nothing: SQLite plans well enough with indexes and without statistics."""

    @override
    def analyze_new(self, connection: Connection, tables: Iterable[Table]) -> None:
        """Do nothing: SQLite plans well enough with indexes and without statistics."""

    @override
    def translate_error(self, error: Exception, engine: Engine) -> StoreError | ConfigError:
        text = str(error)
        if "readonly" in text or "unable to open" in text:
            return ConfigError(f"The database file or its folder cannot be written ({text}): fix its permissions.")
        if "locked" in text or "busy" in text:
            return StoreError("Another program holds the database locked: end its transaction, then run again.")
        if "full" in text:
            return StoreError("The disk is full: make room, then run again; nothing of this run was written.")
        if "disk I/O" in text:  # also if the disk has no space for the log's first page
            return StoreError(
                f"The disk is full or failing ({text}): check it, then run again; nothing of this run was written."
            )
        if "not a database" in text or "malformed" in text:
            return ConfigError(
                f"{file_of(engine.url)} is not a valid SQLite database ({text}): restore it, or name another file."
            )
        return StoreError(f"SQLite failed: {text}.")


DIALECT = SqliteDialect()
