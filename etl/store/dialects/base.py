"""What the store needs of a database, and what each kind of database does in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Column, ColumnElement, Connection, Engine, FromClause, SQLColumnExpression, Table
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.types import TypeEngine

    from etl.errors import ConfigError, StoreError
    from etl.store.repo_scope import RepoScope

    Upsert = postgresql.Insert | sqlite.Insert


class DatabaseDialect(Protocol):
    """One kind of database."""

    temporary_schema: ClassVar[str]
    """The schema of temporary tables."""

    auto_migrate: ClassVar[bool]
    """Whether `sync` migrates an older schema."""

    staged_json: ClassVar[TypeEngine[Any] | None]
    """The type that staged JSON, which is text, is cast to; None if no cast is needed."""

    now: ClassVar[ColumnElement[Any]]
    """The current time by the database's clock."""

    def __hash__(self) -> int:
        """For type checkers, which take no protocol as hashable. Each kind has one instance."""
        return id(self)

    def check_url(self, url: URL) -> None:
        """Raise ConfigError if the URL cannot work."""

    def prepare(self, engine: Engine) -> None:
        """Set up each connection of the engine."""

    def verify_unchanged(self, url: URL) -> AbstractContextManager[None]:
        """Raise StoreError if readers in the block may have read a mix of states."""
        ...

    def user_tables(self, connection: Connection) -> set[str]:
        """Return the names of the tables where new tables are created."""
        ...

    def lock_schema_exclusive(self, connection: Connection) -> None:
        """Wait for other migrations, and block them until the transaction ends."""

    def lock_schema_shared(self, connection: Connection) -> None:
        """Wait for a migration, and block others until the transaction ends. Call it first in a transaction."""

    def check_may_create(self, connection: Connection) -> None:
        """Raise ConfigError, with the fix, if the user cannot create tables."""

    def check_may_write(self, connection: Connection) -> None:
        """Raise ConfigError, with the fix, if the user cannot write the tables."""

    def create(self, engine: Engine) -> None:
        """Create the database."""

    def run_lock(
        self, engine: Engine, connect: Callable[[], Connection], repos: RepoScope, wait: float
    ) -> AbstractContextManager[None]:
        """Hold the lock of a run over these ML repos; LockHeld if another run holds it after `wait` seconds.

        `connect` returns the run's own connection. The lock ends with the process, however that ends.
        """
        ...

    def begin_snapshot(self, connection: Connection) -> None:
        """Make the current transaction read-only, with one state of the database until it ends."""

    def wait_for_merges(self, connection: Connection) -> None:
        """Wait for the merges of other runs, and block new ones until the transaction ends."""

    def insert(self, table: Table) -> Upsert:
        """Return an INSERT that can handle conflicts."""
        ...

    def ids(self, values: Sequence[str] | None = None) -> FromClause:
        """Return the values, escaped, as a table with the column `value`; None stands for the parameter `ids`.

        Reading the column reverses the escapes.
        """
        ...

    def from_epoch_ms(self, milliseconds: Column[int]) -> ColumnElement[Any]:
        """Convert milliseconds since 1970 to a timestamp; NULL outside the years 1 to 9999."""
        ...

    def day_of(self, moment: SQLColumnExpression[Any]) -> ColumnElement[str]:
        """Return the day of a time in UTC, as YYYY-MM-DD."""
        ...

    def begin_staging(self, connection: Connection, create: Sequence[str]) -> None:
        """Create the staging tables by these statements, and prepare the connection for many short transactions."""

    def end_staging(self, connection: Connection) -> None:
        """Prepare the connection for the transaction that writes."""

    def load(self, connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert encoded rows into a staging table."""

    def analyze(self, connection: Connection, tables: Iterable[Table]) -> None:
        """Gather statistics of temporary tables."""

    def analyze_new(self, connection: Connection, tables: Iterable[Table]) -> None:
        """Gather statistics of tables that have none."""

    def translate_error(self, error: Exception, engine: Engine) -> StoreError | ConfigError:
        """Turn a driver's error into one line with the next step."""
        ...
