"""The PostgreSQL dialect: connections, advisory locks, COPY, lists of ids, statistics."""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Double,
    Engine,
    FromClause,
    Integer,
    SQLColumnExpression,
    Table,
    bindparam,
    case,
    cast,
    column,
    event,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, Insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import Text
from typing_extensions import override

from etl.errors import ConfigError, DatabaseLocked, LockHeld, StoreError
from etl.models.types import RegistryJson, RegistryText
from etl.setting_names import name_of
from etl.store.dialects import postgresql_session as session
from etl.store.dialects.base import DatabaseDialect
from etl.store.dialects.postgresql_copy import copy_rows, driver_connection
from etl.store.repo_scope import RepoScope
from etl.store.staging_tables import MOMENTS_MS

_LOCK_POLL_S = 0.2
# The server frees the locks of a disconnected client with a delay, because it drops the temporary tables first.
_LOCK_GRACE_S = 1.0
_INSUFFICIENT_PRIVILEGE = "42501"
_READ_ONLY = "25006"
_LOCK_NOT_AVAILABLE = "55P03"

_READ_COMMITTED = text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
_USER_TABLES = text("""
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT EXISTS (
        SELECT FROM pg_depend d
        WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
    )
""")
_MAY_CREATE = text("""
    SELECT current_schema() IS NOT NULL AS has_schema, has_schema_privilege(current_schema(), 'CREATE') AS may_create,
           quote_ident(current_schema()) AS schema, quote_ident(current_user) AS role
""")


def _take_all(connection: Connection, repos: RepoScope) -> bool:
    """Take every lock, or none; return whether they were taken."""
    with connection.begin():
        schema = connection.scalar(text("SELECT current_schema()"))
        whole = func.pg_try_advisory_lock if repos.is_all else func.pg_try_advisory_lock_shared
        tries = [whole(_key(f"{schema}"))]
        tries += [func.pg_try_advisory_lock(_key(f"{schema}/{repo}")) for repo in sorted(set(repos.ids or ()))]
        if all(connection.scalar(each.select()) for each in tries):
            return True
        connection.execute(text("SELECT pg_advisory_unlock_all()"))
        return False


def _key(name: str) -> int:
    digest = hashlib.blake2b(f"tfy-etl/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _analyze(connection: Connection, tables: Mapping[str, Iterable[Column[Any]]]) -> None:
    """Analyze columns of tables, in one round trip."""
    columns = {name: ", ".join(f'"{column.name}"' for column in of_table) for name, of_table in tables.items()}
    connection.exec_driver_sql("ANALYZE " + ", ".join(f"{name} ({names})" for name, names in columns.items()))


class PostgresqlDialect(DatabaseDialect):
    """PostgreSQL: a server, with a lock for each ML repo."""

    temporary_schema = "pg_temp"
    auto_migrate = False  # other people use these tables, so only `db upgrade` does
    staged_json = JSONB()
    now = func.now()

    @override
    def check_url(self, url: URL) -> None:
        """Do nothing: a wrong address fails on connect, with the server's or driver's message."""

    @override
    def prepare(self, engine: Engine) -> None:
        """Set up each session.

        Keepalives are set on both sides: the server then frees the locks of a client that has disappeared.
        """

        @event.listens_for(engine, "do_connect")
        def _dial(_dialect: Dialect, _record: object, _arguments: list[Any], options: dict[str, Any]) -> None:
            for name, value in session.KEEPALIVES.items():
                options.setdefault(name, value)

        # First of all listeners: in a database of the encoding SQL_ASCII, SQLAlchemy's own would fail.
        @event.listens_for(engine, "connect", insert=True)
        def _connect(connection: Any, _record: object) -> None:
            session.set_up(connection)

    @override
    @contextmanager
    def verify_unchanged(self, url: URL) -> Iterator[None]:
        """Do nothing: the server isolates readers from writers."""
        yield

    @override
    def user_tables(self, connection: Connection) -> set[str]:
        """Return the tables of the schema where new tables are created, except extensions' tables."""
        return set(connection.scalars(_USER_TABLES))

    @override
    def lock_schema_exclusive(self, connection: Connection) -> None:
        """Wait for the schema's migration lock, and hold it until the transaction ends.

        Call it first in a transaction. It sets the isolation level, so that later statements see what another process
        has committed.
        """
        connection.execute(_READ_COMMITTED)
        self._lock_for_transaction(connection, "migrate", func.pg_advisory_xact_lock)
        session.limit_lock_wait(connection, session.MIGRATION_LOCK_TIMEOUT_S)

    @override
    def lock_schema_shared(self, connection: Connection) -> None:
        connection.execute(_READ_COMMITTED)
        self._lock_for_transaction(connection, "migrate", func.pg_advisory_xact_lock_shared)

    @override
    def check_may_create(self, connection: Connection) -> None:
        found = connection.execute(_MAY_CREATE).one()
        if not found.has_schema:
            raise ConfigError(
                "The role can use no schema of its search_path: create one with tfy-etl db upgrade --schema NAME, or "
                "grant USAGE and CREATE on an existing one."
            )
        if not found.may_create:
            raise ConfigError(
                f"The role {found.role} cannot create tables in the schema {found.schema}: "
                f"run GRANT CREATE ON SCHEMA {found.schema} TO {found.role}."
            )

    @override
    def check_may_write(self, connection: Connection) -> None:
        session.check_may_write(connection)

    @override
    def create(self, engine: Engine) -> None:
        """Do nothing: the database exists already."""

    @override
    @contextmanager
    def run_lock(
        self,
        engine: Engine,
        connect: Callable[[], Connection],
        repos: RepoScope,
        wait: float,
    ) -> Iterator[None]:
        """Hold advisory locks on the run's own connection: losing the lock ends the run too.

        The server frees the locks when the connection closes, and so when the process dies. A run over the whole
        registry takes the schema's lock exclusively. A run over some ML repos takes it shared, and each repo's own lock
        exclusively, so that such runs can run at the same time. Locks are tried and not waited for, so that no deadlock
        can occur.

        Raises LockHeld if another run still holds one after `wait` seconds. The minimum is one second, because a run
        that has just died may still hold its locks.
        """
        connection = connect()
        deadline = time.monotonic() + max(wait, _LOCK_GRACE_S)
        while not _take_all(connection, repos):
            if time.monotonic() >= deadline:
                raise LockHeld(
                    "Another run is in progress on this database: wait for it to end. With "
                    f"{name_of('lock_wait')}, in seconds, a sync waits by itself."
                )
            time.sleep(_LOCK_POLL_S)
        yield
        # Unlock now, so that the next run need not wait for the server's cleanup. A broken connection holds no lock.
        # The transaction ends here too: if its end failed later, a run that has been written would fail.
        with suppress(DBAPIError):
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.rollback()

    @override
    def begin_snapshot(self, connection: Connection) -> None:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        # By default, the server plans a cursor for a tenth of the rows. Exports read all of them.
        connection.execute(text("SET LOCAL cursor_tuple_fraction = 1"))
        # With old statistics, the server assumes that tables are small. A nested loop would then scan one table for
        # each row of another, which takes half a minute.
        connection.execute(text("SET LOCAL enable_nestloop = off"))

    @override
    def wait_for_merges(self, connection: Connection) -> None:
        self._lock_for_transaction(connection, "merge", func.pg_advisory_xact_lock)

    def _lock_for_transaction(self, connection: Connection, name: str, lock: Callable[[int], Any]) -> None:
        session.limit_lock_wait(connection, session.MERGE_TIMEOUT_S)
        schema = connection.scalar(text("SELECT current_schema()"))
        connection.execute(lock(_key(f"{name}/{schema}")).select())
        session.limit_lock_wait(connection, session.LOCK_TIMEOUT_S)

    @override
    def insert(self, table: Table) -> Insert:
        return Insert(table)

    @override
    def ids(self, values: Sequence[str] | None = None) -> FromClause:
        given: dict[str, Any] = {"required": True} if values is None else {"value": list(values), "unique": True}
        array = bindparam("ids", type_=ARRAY(RegistryText), **given)
        return func.unnest(array).table_valued(column("value", RegistryText)).render_derived()

    @override
    def from_epoch_ms(self, milliseconds: Column[int]) -> ColumnElement[Any]:
        day = 86_400_000
        # Pass the days separately: make_interval takes seconds as a double, which is exact enough for one day only.
        # Without the cast to a double, the server would divide decimals, which takes longer than the rest.
        seconds = cast(milliseconds % day, Double) / 1000
        since = func.make_interval(0, 0, 0, cast(milliseconds // day, Integer), 0, 0, seconds)
        epoch = cast("epoch", TIMESTAMP(timezone=True))
        return case((milliseconds.between(*MOMENTS_MS), epoch + since))

    @override
    def day_of(self, moment: SQLColumnExpression[Any]) -> ColumnElement[str]:
        return func.to_char(func.timezone("UTC", moment), "YYYY-MM-DD", type_=Text)

    @override
    def begin_staging(self, connection: Connection, create: Sequence[str]) -> None:
        """Create the staging tables in one round trip.

        Then each statement is a transaction of its own, which saves two round trips. Set that at the driver: SQLAlchemy
        would reset it on close, which fails after a signal has interrupted a COPY.
        """
        driver_connection(connection).autocommit = True
        with connection.begin():
            connection.exec_driver_sql(";".join(create))

    @override
    def end_staging(self, connection: Connection) -> None:
        driver_connection(connection).autocommit = False

    @override
    def load(self, connection: Connection, table: Table, rows: Iterable[Sequence[Any]]) -> None:
        copy_rows(connection, table, rows)

    @override
    def analyze(self, connection: Connection, tables: Iterable[Table]) -> None:
        """Gather statistics of temporary tables, without which the server plans the merge badly.

        The server does not gather them automatically. Tables without a key are joined only by their first column.
        """
        keyed = {table.name: table.columns if table.primary_key else table.columns[:1] for table in tables}
        _analyze(connection, {f'pg_temp."{name}"': columns for name, columns in keyed.items()})

    @override
    def analyze_new(self, connection: Connection, tables: Iterable[Table]) -> None:
        """Gather statistics of tables that have none.

        The server would do so within minutes, but until then it plans every view badly. It skips a table that the role
        may not analyze, with only a warning.
        """
        unknown = text("SELECT relname FROM pg_class WHERE oid = ANY (CAST(:names AS regclass[])) AND reltuples <= 0")
        of_name = {table.name: table for table in tables}
        new = connection.scalars(unknown, {"names": list(of_name)}).all()
        # Skip JSON columns: they take most of the time, and no query joins by them.
        columns = {
            name: [each for each in of_name[name].columns if not isinstance(each.type, RegistryJson)] for name in new
        }
        if new:
            _analyze(connection, {f'"{name}"': columns[name] for name in new})

    @override
    def translate_error(self, error: Exception, engine: Engine) -> StoreError | ConfigError:
        text = " ".join(str(error).partition("\nLINE ")[0].split())[:300].rstrip("?.")
        if getattr(error, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE:
            return ConfigError(f"PostgreSQL refused: {text}: grant the role the missing privilege.")
        if getattr(error, "sqlstate", None) == _READ_ONLY:
            return ConfigError(f"PostgreSQL refused: {text}: use a role and a server that may write.")
        if getattr(error, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            with engine.connect() as connection:
                blocker = session.blocking_session(connection) or "another session, which has ended by now,"
            return DatabaseLocked(
                f"PostgreSQL failed: {blocker} holds a lock on the tables: end it, then run again; nothing of this run "
                "was written."
            )
        if getattr(error, "sqlstate", None) is None:  # the connection failed before a session began
            database = name_of("database_url")
            for sign, advice in (
                ("authentication failed", f"check user and password in {database}"),
                ("no password supplied", f"give a password in {database}"),
                ("does not exist", f"create it, or change {database}"),
            ):
                if sign in text:
                    return ConfigError(f"PostgreSQL refused: {text}: {advice}.")
            # libpq asks a question of its own after the reason.
            reason = re.split(r"[.]? *Is the server running", text)[0].removeprefix("connection failed: ")
            return StoreError(
                f"PostgreSQL does not answer: {reason}. Check that the server runs, and the host and port in "
                f"{database}, then run again; nothing of this run was written."
            )
        return StoreError(
            f"PostgreSQL failed: {text}. Check the server, then run again; nothing of this run was written."
        )


DIALECT = PostgresqlDialect()
