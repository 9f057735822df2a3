import builtins
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text

from etl.errors import ConfigError, LockHeld, StoreError
from etl.store import RepoScope, check_lock_free, describe_database, engine_scope, open_engine
from etl.store.dialects import postgresql
from etl.store.dialects import sqlite as sqlite_dialect
from etl.store.engine import dialect_of, is_new_file, parse_url, writing
from tests.support.databases import migrate


class DriverError(Exception):
    """An error of a driver; PostgreSQL adds a code once a session exists."""

    sqlstate: str | None = None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "cannot be read: write sqlite:///file.db"),
        ("postgresql://host:port/db", "cannot be read"),
        ("postgresql://u:a@b@host/db", "more than one @"),
        ("sqlite://", "names no file"),
        ("sqlite:///file.db?mode=ro", "has no parameters: write a question mark"),
        ("mysql://host/db", "No database of the kind 'mysql' is supported: use one of postgresql://, sqlite://."),
        ("sqlite+nosuch:///file.db", "SQLAlchemy has no driver 'sqlite\\+nosuch'"),
        ("postgresql+asyncpg://host/db", "The driver of postgresql\\+asyncpg:// is not installed: use postgresql://"),
    ],
)
def test_invalid_url_is_refused_in_one_line(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        open_engine(url)

    assert "\n" not in str(error.value)


def test_missing_driver_is_an_error_that_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without_psycopg(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "psycopg":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    with pytest.raises(ConfigError, match=r"pip install '\.\[postgres\]'"):
        open_engine("postgresql://host/db")


@pytest.mark.parametrize("url", ["postgres://host/db", "postgresql://host/db", "postgresql+psycopg://host/db"])
def test_every_spelling_of_postgresql_selects_the_same_driver(url: str) -> None:
    assert open_engine(url).url.drivername == "postgresql+psycopg"


def test_a_file_with_two_names_is_refused_because_locks_follow_the_name(tmp_path: Path) -> None:
    file, link = tmp_path / "registry.db", tmp_path / "link.db"
    migrate(f"sqlite:///{file}")
    link.hardlink_to(file)
    for each in (file, link):
        with pytest.raises(ConfigError, match=r"has another name, a hard link, .*: remove it, or use a copy"):
            open_engine(f"sqlite:///{each}")

    link.unlink()
    open_engine(f"sqlite:///{file}").dispose()


def test_opening_a_file_frees_no_lock_of_another_connection_in_the_process(migrated_file: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(migrated_file, tmp_path / "registry.db"))
    write = "import sqlite3, sys; sqlite3.connect(sys.argv[1], isolation_level=None).execute('DELETE FROM subjects')"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT 1 FROM subjects").fetchall()
        with engine_scope(f"sqlite:///{path}"):
            pass
        subprocess.run([sys.executable, "-c", write, str(path)], check=True)

        assert Path(f"{path}-wal").exists()  # only the last connection to a file may remove its log


def test_escapes_in_the_name_of_a_database_are_decoded(tmp_path: Path) -> None:
    """An upgrade of SQLAlchemy must not lead to another file."""
    with engine_scope(f"sqlite:///{tmp_path}/50%25%20x+y.db") as engine, engine.connect():
        pass

    assert (tmp_path / "50% x+y.db").is_file()
    assert parse_url("postgresql://user:p%40ss@host/50%25%20x").database == "50% x"


def test_read_only_file_is_refused_by_check_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine_scope(f"sqlite:///{tmp_path}/x.db") as engine, engine.connect() as connection:
        sqlite_dialect.DIALECT.check_may_write(connection)
        monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
        with pytest.raises(ConfigError, match=r"Cannot write .*x\.db \(Permission denied\): fix its permissions\."):
            sqlite_dialect.DIALECT.check_may_write(connection)


def test_a_file_name_with_a_nul_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="contains a NUL character"):
        open_engine(f"sqlite:///{tmp_path}/a%00b")


def test_path_that_cannot_be_a_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()

    for path, message in (
        (tmp_path, "is a folder"),
        (tmp_path / "missing" / "x.db", "The folder .* does not exist"),
        (tmp_path / ("x" * 300) / "x.db", "Cannot read .*: fix its permissions"),
    ):
        with pytest.raises(ConfigError, match=message):
            open_engine(f"sqlite:///{path}")
    assert open_engine(f"sqlite:///{tmp_path / 'empty.db'}").url.database


def test_missing_file_is_described_and_not_created(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    with engine_scope(url, read_only=True) as engine:
        assert describe_database(engine, url) == f"SQLite, {tmp_path / 'new.db'} does not exist yet: sync creates it"
        assert check_lock_free(engine) == "no other run is in progress"

    assert is_new_file(url)
    assert not is_new_file("postgresql://host/db")
    assert list(tmp_path.iterdir()) == []


def test_database_is_described_by_product_and_name(migrated_url: str, dialect: str) -> None:
    with engine_scope(migrated_url) as engine:
        description = describe_database(engine, migrated_url)

    assert description.startswith({"sqlite": "SQLite 3.", "postgresql": "PostgreSQL 1"}[dialect])
    assert str(engine.url.database) in description


@pytest.mark.parametrize("place", ["password", "query"])
def test_description_of_a_server_shows_no_password(migrated_template: str, postgres_url: str, place: str) -> None:
    secret = "pass-of-db"
    url = make_url(postgres_url).set(database=migrated_template)
    given = url.set(password=secret) if place == "password" else url.update_query_dict({"password": secret})
    url_text = given.render_as_string(hide_password=False)
    assert secret in url_text
    with engine_scope(url_text) as engine:
        description = describe_database(engine, url_text)

    assert description.startswith("PostgreSQL 1")
    assert migrated_template in description
    assert secret not in description


@pytest.mark.parametrize("read_only", [True, False])
def test_a_sqlite_url_with_a_host_is_refused(read_only: bool) -> None:  # noqa: FBT001
    with pytest.raises(ConfigError, match="names no host"):
        open_engine("sqlite://u:p@host/file.db", read_only=read_only)


def test_database_error_is_raised_as_store_error(migrated_url: str) -> None:
    with (
        pytest.raises(StoreError, match="nowhere"),
        engine_scope(migrated_url) as engine,
        engine.connect() as connection,
    ):
        connection.execute(text("SELECT * FROM nowhere"))


def test_driver_error_is_raised_as_store_error(migrated_url: str) -> None:
    def past_sqlalchemy() -> None:
        with engine_scope(migrated_url) as engine, engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("SELECT * FROM nowhere")

    with pytest.raises(StoreError, match="nowhere"):
        past_sqlalchemy()


@pytest.mark.parametrize(
    ("message", "error", "advice"),
    [
        ("attempt to write a readonly database", ConfigError, "fix its permissions"),
        ("unable to open database file", ConfigError, "fix its permissions"),
        ("database is locked", StoreError, "end its transaction"),
        ("database or disk is full", StoreError, "The disk is full"),
        ("disk I/O error", StoreError, "The disk is full or failing"),
        ("database disk image is malformed", ConfigError, "restore it"),
        ("file is not a database", ConfigError, "restore it"),
        ("no such table: x", StoreError, "SQLite failed: no such table: x."),
    ],
)
def test_error_of_sqlite_is_translated_with_advice(message: str, error: type[Exception], advice: str) -> None:
    found = sqlite_dialect.DIALECT.translate_error(DriverError(message), create_engine("sqlite://"))

    assert type(found) is error
    assert advice in str(found)


@pytest.mark.parametrize(
    ("message", "state", "error", "advice"),
    [
        ("permission denied for table models", "42501", ConfigError, "grant the role the missing privilege"),
        ('password authentication failed for user "u"', None, ConfigError, "check user and password"),
        ("fe_sendauth: no password supplied", None, ConfigError, "give a password"),
        ('database "x" does not exist', None, ConfigError, "create it, or change"),
        ("connection refused\n  Is the server running?", None, StoreError, "answer: connection refused. Check"),
        ('relation "x" does not exist', "42P01", StoreError, "Check the server"),
    ],
)
def test_error_of_postgresql_is_translated_with_advice(
    message: str, state: str | None, error: type[Exception], advice: str
) -> None:
    driver_error = DriverError(message)
    driver_error.sqlstate = state
    found = postgresql.DIALECT.translate_error(driver_error, create_engine("sqlite://"))

    assert type(found) is error
    assert advice in str(found)


@contextmanager
def run_lock(engine: Engine, ml_repos: tuple[str, ...] = (), wait: float = 0) -> Iterator[None]:
    """Hold the lock of a run, on a separate connection."""
    with (
        ExitStack() as stack,
        dialect_of(engine.url).run_lock(
            engine, lambda: stack.enter_context(engine.connect()), RepoScope(ml_repos or None), wait
        ),
    ):
        yield


def test_a_lock_is_held_by_one_run_at_a_time(migrated_url: str) -> None:
    with engine_scope(migrated_url) as engine:
        with run_lock(engine), pytest.raises(LockHeld, match="--lock-wait"):
            check_lock_free(engine)
        assert check_lock_free(engine) == "no other run is in progress"


def test_lock_that_is_not_free_within_the_wait_raises_lock_held(migrated_url: str) -> None:
    wait = 1.2  # longer than PostgreSQL waits at least
    with engine_scope(migrated_url) as engine, run_lock(engine):
        start = time.monotonic()
        with pytest.raises(LockHeld), run_lock(engine, wait=wait):
            pass
        assert time.monotonic() - start >= wait


def test_lock_that_is_released_within_the_wait_is_taken(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = ExitStack()
    waits = []

    def release(seconds: float) -> None:
        waits.append(seconds)
        held.close()

    monkeypatch.setattr(time, "sleep", release)  # both databases poll
    with engine_scope(migrated_url) as engine, held:
        held.enter_context(run_lock(engine))
        with run_lock(engine, wait=60):
            assert len(waits) == 1


def test_file_is_locked_under_the_name_of_a_link_too(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "registry.db")
    with (
        engine_scope(f"sqlite:///{tmp_path / 'registry.db'}") as engine,
        engine_scope(f"sqlite:///{tmp_path / 'link.db'}") as other,
        run_lock(engine),
        pytest.raises(LockHeld),
        run_lock(other),
    ):
        pass


@pytest.mark.parametrize(
    ("held", "wanted", "free"),
    [((), ("1",), False), (("1",), (), False), (("1",), ("2",), True), (("1", "2"), ("3", "2"), False)],
)
def test_ml_repos_in_postgresql_are_locked_separately(
    migrated_template: str, postgres_url: str, held: tuple[str, ...], wanted: tuple[str, ...], *, free: bool
) -> None:
    url = postgres_url.replace("/postgres?", f"/{migrated_template}?")
    with engine_scope(url) as engine, run_lock(engine, held):
        if free:
            with run_lock(engine, wanted):
                return
        with pytest.raises(LockHeld), run_lock(engine, wanted):
            pass


def test_lock_file_that_cannot_be_written_raises_config_error(tmp_path: Path) -> None:
    (tmp_path / "registry.db.lock").mkdir()
    with (
        engine_scope(f"sqlite:///{tmp_path / 'registry.db'}") as engine,
        pytest.raises(ConfigError, match="Cannot write"),
    ):
        check_lock_free(engine)


def test_statement_that_a_signal_interrupts_between_its_rows_keeps_no_write_lock(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_dialect, "BUSY_TIMEOUT_MS", 0)

    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with engine_scope(migrated_url) as engine, engine_scope(migrated_url) as other:
        with other.connect() as connection, writing(connection):
            connection.execute(text("INSERT INTO subjects (id) VALUES ('1'), ('2')"))
        with engine.connect() as connection, connection.begin() as transaction:
            event.listen(engine, "after_cursor_execute", interrupt)
            with pytest.raises(KeyboardInterrupt) as interrupted:
                connection.scalar(text("UPDATE subjects SET slug = '' RETURNING id"))
            transaction.rollback()
        with other.connect() as connection, writing(connection):
            connection.execute(text("DELETE FROM models"))

    # The traceback keeps the statement alive, as that of a failed run does.
    assert interrupted.value.__traceback__ is not None
