"""The database as a run uses it: connection, lock, schema, one commit."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection

from etl.enums import STATUSES_THAT_WROTE, Entity
from etl.errors import ConfigError, EtlError, StoreError
from etl.setting_names import name_of
from etl.store import runs, schema, scope_states, vocabulary
from etl.store.engine import (
    dialect_of,
    engine_scope,
    is_in_memory,
    is_new_file,
    open_engine,
    parse_url,
    translate_errors,
    writing,
)
from etl.store.merge import SupersedeMode, merge
from etl.store.reconcile import Tally
from etl.store.rejected_records import MissingRecords
from etl.store.repo_scope import RepoScope
from etl.store.vocabulary import Vocabulary

_log = logging.getLogger(__name__)


class Store:
    """An open database. It raises every failure as an EtlError with a message of one line."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """`read_only` never creates a file: a missing one is treated as an empty database."""
        self._read_only = read_only
        self._is_new = is_new_file(url)
        self._engine = open_engine(url, read_only=read_only)
        self._dialect = dialect_of(self._engine.url)
        self._stack = ExitStack()
        self._open: Connection | None = None
        self._in_doubt = False

    def __enter__(self) -> Self:
        """Open no connection yet: the first use does."""
        self._stack.callback(self._engine.dispose)
        self._stack.enter_context(self.translate_errors())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def connection(self) -> Connection:
        """The run's connection, which opens on first use."""
        if self._open is None:
            self._open = self._stack.enter_context(self._engine.connect())
        return self._open

    def translate_errors(self) -> AbstractContextManager[None]:
        """Translate errors in a block, so that a handler around it already gets EtlErrors."""
        return translate_errors(self._engine)

    def lock(self, repos: RepoScope, wait: float) -> None:
        """Hold the lock of the ML repos until the store is closed.

        LockHeld if another run still holds it after `wait` seconds.
        """
        self._stack.enter_context(self._dialect.run_lock(self._engine, lambda: self.connection, repos, wait))

    def ensure_schema(self) -> None:
        """Create or migrate the schema if needed; SchemaMismatch, with the fix, if that fails."""
        if not self._is_new and schema.is_current(self.connection):
            return  # without a connection of its own: most runs need no more
        if self._read_only and not is_in_memory(self._engine.url):
            schema.check(self._engine)
        else:
            schema.ensure(self._engine)

    def commit(  # noqa: PLR0913 all inputs of the one transaction
        self,
        run_id: str,
        outcome: Callable[[], Mapping[str, Any]],
        tallies: Mapping[Entity, Tally],
        *,
        repos: RepoScope,
        now: datetime,
        newest_credible: datetime,
        first_load: bool,
        missing: MissingRecords,
        supersede: SupersedeMode,
        advance: scope_states.NewScopeState | None,
        words: Vocabulary,
        signals_ignored: AbstractContextManager[None],
    ) -> None:
        """Merge the staged rows, close the run's row and update its scope, in one transaction.

        The transaction makes no network call except to the database. `now` is the run's start, and `newest_credible`
        the latest `updated_at` that shows which state of a record is newer. `outcome` is called after the merge.
        `signals_ignored` wraps the commit.
        """
        self._dialect.end_staging(self.connection)
        with writing(self.connection) as transaction:
            self._dialect.lock_schema_shared(self.connection)
            schema.check_unchanged(self.connection)
            merge(
                self.connection,
                repos=repos,
                run_id=run_id,
                now=now,
                newest_credible=newest_credible,
                first_load=first_load,
                missing=missing,
                supersede=supersede,
            )
            vocabulary.write(self.connection, words)
            if not runs.end(self.connection, run_id, outcome(), tallies):
                raise StoreError("Another run marked this run as interrupted, and may have written since: run again.")
            if advance is not None:
                scope_states.advance(self.connection, advance, run_id=run_id, started_at=now)
            with signals_ignored:
                self._in_doubt = True
                transaction.commit()
                self._in_doubt = False

    def record_failure(self, run_id: str, outcome: Mapping[str, Any]) -> None:
        """Close the row of a failed run, on a new connection; if that fails, the next run does it."""
        try:
            with translate_errors(self._engine), self._engine.connect() as connection, writing(connection):
                runs.end(connection, run_id, outcome, {})
        except EtlError as error:
            if not self._in_doubt:  # if in doubt, `commit_succeeded` reports the failure
                _log.warning("the run's end could not be recorded: %s", error)

    def commit_succeeded(self, run_id: str) -> bool:
        """Whether the commit of a failed run succeeded, and only the database's answer was lost.

        StoreError if a commit was sent, and the database does not answer whether it succeeded.
        """
        if not self._in_doubt:
            return False
        try:
            with translate_errors(self._engine), self._engine.connect() as connection:
                return runs.status(connection, run_id) in STATUSES_THAT_WROTE
        except EtlError as error:
            raise StoreError(
                "The database failed at the commit, and does not answer. It is unknown whether this run was written: "
                "run tfy-etl status once the database is back."
            ) from error


@contextmanager
def open_readonly(url: str) -> Iterator[Connection]:
    """Open a connection for queries or `prune`; ConfigError if the database does not exist."""
    if is_new_file(url):
        raise ConfigError(
            f"{parse_url(url).database} does not exist: tfy-etl sync creates it, or change {name_of('database_url')}."
        )
    with engine_scope(url, read_only=True) as engine, dialect_of(engine.url).verify_unchanged(engine.url):
        schema.check(engine)
        with engine.connect() as connection:
            yield connection
