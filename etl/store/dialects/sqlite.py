"""What SQLite does in its own way: file, pragmas, lock file, bulk loading, lists of ids."""

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
    Table,
    bindparam,
    case,
    event,
    func,
    inspect,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.types import Text

from etl.errors import ConfigError, LockHeld, StoreError
from etl.store.staging_tables import MOMENTS_MS

__all__ = ["insert"]

TEMPORARY = "temp"
"""Schema of temporary tables."""

NOW = func.strftime("%Y-%m-%d %H:%M:%f000", "now")
"""The moment by the database's clock, which CURRENT_TIMESTAMP tells to the second alone."""

AUTO_MIGRATE = True
"""Whether `sync` migrates an older schema: a file belongs to the user who runs the command."""

# Long enough for an analyst's own write to end, short enough to notice one that does not.
BUSY_TIMEOUT_MS = 30_000

# Keys come in no order, so a merge goes to and fro in the indexes. More than this made nothing faster.
CACHE_KB = 8 * 1024

# The most that every SQLite takes in one statement.
_VARIABLES = 999


def check_url(url: URL) -> None:
    """ConfigError when the file cannot be a database of ours."""
    path = file_of(url)
    if path is None:
        return
    if url.host or url.username:
        raise ConfigError("A SQLite URL names no host: write sqlite:///file.db, or four slashes before a full path.")
    if url.query:
        raise ConfigError("A SQLite URL takes nothing behind a question mark: write one in a file name as %3F.")
    try:
        _check_file(path)
    except OSError as error:
        raise ConfigError(f"Cannot read {path} ({error.strerror}): mend its permissions.") from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: name a file in --database-url.")
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is no file: name one in --database-url.")
    if not path.parent.is_dir():
        raise ConfigError(f"The folder {path.parent} does not exist: create it, or change --database-url.")
    if path.exists():
        with path.open("rb") as file:
            head = file.read(16)
        if head and head != b"SQLite format 3\0":
            raise ConfigError(f"{path} is not a SQLite database: name another file in --database-url.")
    elif not os.access(path.parent, os.W_OK):
        raise ConfigError(f"Cannot create {path}: mend the permissions of its folder, or change --database-url.")


def file_of(url: URL) -> Path | None:
    """The database's file; None for one in memory."""
    return None if url.database in {None, "", ":memory:"} else Path(str(url.database))


def prepare(engine: Engine) -> None:
    """Set up each connection, and begin transactions as SQLAlchemy says rather than as the driver guesses."""

    @event.listens_for(engine, "do_connect")
    def _look(_dialect: Dialect, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
        path = file_of(engine.url)
        if path is not None and _can_only_be_looked_at(path):
            arguments[0], options["uri"] = f"{path.resolve().as_uri()}?immutable=1", True  # see `unmoved`

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

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A merge takes the write lock at once: a reader turned writer halfway could not wait for it.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def address_for_a_look(path: Path) -> str:
    """What SQLite opens for a reader, who sees what a run commits meanwhile; ConfigError where it could not."""
    if _can_only_be_looked_at(path):
        raise ConfigError(f"The folder of {path} cannot be written, which SQLite needs to follow runs: look at a copy.")
    return f"{path.resolve().as_uri()}?mode=ro"


@contextmanager
def verify_unchanged(url: URL) -> Iterator[None]:
    """StoreError when a run wrote, in here, a file that SQLite was told is not written: what was read is no one state.

    It is told so where there is no other way to read it.
    """
    path = file_of(url)
    if path is None or not _can_only_be_looked_at(path):
        yield
        return
    before = _state(path)
    try:
        yield
    finally:
        if _state(path) != before or Path(f"{path}-wal").exists():
            raise StoreError(f"A run wrote {path} meanwhile, and its folder lets nobody follow: try again.")


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _can_only_be_looked_at(path: Path) -> bool:
    """Whether SQLite could not make the file beside the database that its readers share in WAL mode.

    Where a run left its `-wal` behind, the file alone is not the whole truth.
    """
    return path.exists() and not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()


def user_tables(connection: Connection) -> set[str]:
    """Names of the tables in the file."""
    return set(inspect(connection).get_table_names())


def lock_schema(connection: Connection) -> None:
    """Do nothing: SQLite lets one connection at a time write."""


def check_may_create(connection: Connection) -> None:
    """Do nothing: whoever writes the file may create tables in it."""


def create(engine: Engine) -> None:
    """Readers of a database in WAL mode are not held up by a run, nor a run by them."""
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA journal_mode = WAL")


@contextmanager
def run_lock(engine: Engine, connect: Callable[[], Connection], ml_repos: Sequence[str], wait: float) -> Iterator[None]:  # noqa: ARG001 one writer, whatever the scope
    """Hold the lock file beside the database; the system frees it when the process dies.

    Raises LockHeld when another run still holds it after `wait` seconds.
    """
    path = file_of(engine.url)
    if path is None:
        yield
        return
    lock = FileLock(f"{path.resolve()}.lock", timeout=wait)  # whatever name the file goes by
    try:
        lock.acquire()
    except Timeout as error:
        if not Path(lock.lock_file).exists():  # some file systems refuse as if it were held
            raise ConfigError(f"Cannot write beside {path}: name a file elsewhere in --database-url.") from error
        raise LockHeld(
            f"Another run is at work on {path}: wait for it to end; sync --lock-wait 600 waits by itself."
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"Cannot write beside {path} ({reason}): name a file elsewhere in --database-url.") from error
    try:
        yield
    finally:
        lock.release()


def begin_snapshot(connection: Connection) -> None:
    """A transaction sees one state of the file by itself."""


def wait_for_merges(connection: Connection) -> None:
    """Whatever their scope, one run at a time has the file."""


def ids(values: Sequence[str]) -> FromClause:
    """The values as a table with one column, `value`: an array bound once instead of a long IN list."""
    return func.json_each(bindparam(None, json.dumps(values), type_=Text)).table_valued("value")


def cast_staged(column: Column[Any], staging: Column[Any]) -> ColumnElement[Any]:  # noqa: ARG001 PostgreSQL casts here
    """The staged column as the table's own takes it."""
    return staging


def from_epoch_ms(milliseconds: Column[int]) -> ColumnElement[Any]:
    """The moment so many milliseconds after 1970, as a column of moments is kept; NULL outside the years 1 to 9999."""
    # SQLite rounds to its own unit, the millisecond: dividing loses nothing.
    moment = func.strftime("%Y-%m-%d %H:%M:%f000", milliseconds / 1000.0, "unixepoch", type_=Text)
    return case((milliseconds.between(*MOMENTS_MS), moment))


def load(connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
    """Put rows, encoded already, into a staging table: many in one statement, which costs as much as a row."""
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
            connection.exec_driver_sql(f'INSERT INTO temp."{table.name}" ({names}) VALUES {many}', batches)  # noqa: S608 the mapping's own names
        done += len(batches) * size


def analyze(connection: Connection, tables: Iterable[Table]) -> None:
    """SQLite plans well enough by the indexes alone."""


analyze_new = analyze


def translate_error(error: Exception) -> StoreError | ConfigError:
    """The driver's complaint as one line with the next step."""
    text = str(error)
    if "readonly" in text or "unable to open" in text:
        return ConfigError(f"The database file or its folder cannot be written ({text}): mend its permissions.")
    if "locked" in text or "busy" in text:
        return StoreError("Another program holds the database locked: end its transaction, then run again.")
    if "full" in text:
        return StoreError("The disk is full: make room, then run again; nothing of this run was written.")
    if "disk I/O" in text:  # so says, too, a disk without room for the first page of the log
        return StoreError(
            f"The disk is full or failing ({text}): see to it, then run again; nothing of this run was written."
        )
    if "not a database" in text or "malformed" in text:
        return ConfigError(f"The file is no sound SQLite database ({text}): restore it, or name another file.")
    return StoreError(f"SQLite failed: {text}.")
