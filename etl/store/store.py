"""The store as a run uses it: one engine, one connection, the lock, the run's record and its one commit."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection

from etl.errors import ConfigError, EtlError, StoreError
from etl.store import reconcile, runs, schema
from etl.store.engine import (
    database_of,
    is_in_memory,
    is_new_file,
    open_engine,
    opened,
    parse_url,
    translate_errors,
    writing,
)
from etl.store.merge import Supersede, merge
from etl.store.reconcile import Tally
from etl.store.rejected_records import Gone
from etl.store.staging import Staging
from etl.store.staging_tables import ALL

_log = logging.getLogger(__name__)


class Store:
    """An open database. Every failure of it comes out as an EtlError, in one line."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """`read_only` never makes a file: a database that is not there yet is looked at as an empty one."""
        self._read_only = read_only
        self._engine = open_engine(url, read_only=read_only)
        self._database = database_of(self._engine.url)
        self._stack = ExitStack()
        self._open: Connection | None = None
        self._in_doubt = False

    def __enter__(self) -> Self:
        """Nothing is connected before it is needed."""
        self._stack.callback(self._engine.dispose)
        self._stack.enter_context(self.translate_errors())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, whatever state it is in."""
        self._stack.__exit__(kind, error, trace)

    @property
    def _connection(self) -> Connection:
        if self._open is None:
            self._open = self._stack.enter_context(self._engine.connect())
        return self._open

    def translate_errors(self) -> AbstractContextManager[None]:
        """Within it, too, failures of the database are EtlErrors: before who records them sees them."""
        return translate_errors(self._engine)

    def lock(self, ml_repos: Sequence[str], wait: float) -> None:
        """Hold the lock of everything, or of some ML repos, until the store is closed.

        LockHeld when another run still holds it after `wait` seconds.
        """
        self._stack.enter_context(self._database.run_lock(self._engine, lambda: self._connection, ml_repos, wait))

    def ensure_schema(self) -> None:
        """The schema is as this release needs it when this returns; SchemaMismatch says what to do."""
        if self._read_only and not is_in_memory(self._engine.url):
            schema.check(self._engine)
        else:
            schema.ensure(self._engine)

    def scope_state(self, label: str) -> Mapping[str, Any]:
        """What is known of a scope from its complete runs, else of the whole registry; empty when there was none."""
        return runs.scope_state(self._connection, label) or runs.scope_state(self._connection, runs.WHOLE) or {}

    def check_same_host(self, host: str) -> None:
        """ConfigError when the tables were filled from another control plane."""
        runs.check_same_host(self._connection, host)

    def is_empty(self, ml_repos: Sequence[str]) -> bool:
        """Whether nothing of the ML repos given (of any, when there are none) was ever stored."""
        return runs.is_empty(self._connection, ml_repos)

    def stored_versions(self, ml_repos: Sequence[str]) -> int:
        """How many versions are stored as live."""
        return runs.stored_versions(self._connection, ml_repos)

    def staging(self) -> Staging:
        """The run's temporary tables."""
        return Staging(self._connection)

    def analyze_staging(self) -> None:
        """Everything is staged: what follows is to be planned well."""
        with self._connection.begin():
            self._database.analyze(self._connection, ALL)

    def find_missing(self, ml_repos: Sequence[str], *, every_version_read: bool, spare: Collection[str]) -> None:
        """Find what is gone."""
        reconcile.find_missing(self._connection, ml_repos, every_version_read=every_version_read, spare=spare)

    def missing_models(self) -> list[str]:
        """Ids of the models that are gone."""
        return reconcile.missing_ids(self._connection, "models")

    def emptied_repos(self) -> list[reconcile.EmptiedRepo]:
        """ML repos of which every model is gone."""
        return reconcile.emptied_repos(self._connection)

    def cancel_deletes(self, model_ids: Sequence[str] | None = None) -> None:
        """Take these models with their versions, or by default nothing at all, for gone after all."""
        reconcile.cancel_deletes(self._connection, model_ids)

    def tallies(self) -> dict[str, Tally]:
        """Find what comes back; the counts of the run, by table."""
        reconcile.find_restored(self._connection)
        return reconcile.tallies(self._connection)

    def check_delete_limit(self, tallies: Mapping[str, Tally], ml_repos: Sequence[str], max_share: float) -> None:
        """MassDelete when too much would go at once."""
        reconcile.check_delete_limit(self._connection, tallies, ml_repos, max_share)

    def begin(self, run: Mapping[str, Any]) -> None:
        """Write the row of a run that starts."""
        runs.begin(self._connection, run)

    def commit(  # noqa: PLR0913 all that becomes visible at once
        self,
        run_id: str,
        outcome: Callable[[], Mapping[str, Any]],
        tallies: Mapping[str, Tally],
        *,
        ml_repos: Sequence[str],
        now: datetime,
        log_changes: bool,
        gone: Gone,
        supersede: Supersede,
        advance: runs.Advance | None,
        held: AbstractContextManager[None],
    ) -> None:
        """Merge what is staged, close the run's row and move its scope on: one transaction, no network but its own.

        `now` is the run's start; `outcome` is asked once everything is merged; `held` keeps signals off the commit.
        """
        with writing(self._connection) as transaction:
            merge(
                self._connection,
                ml_repos=ml_repos,
                run_id=run_id,
                now=now,
                log_changes=log_changes,
                gone=gone,
                supersede=supersede,
            )
            if not runs.end(self._connection, run_id, outcome(), tallies):
                raise StoreError("Another run took this one for dead, and may have written since: run again.")
            if advance is not None:
                runs.advance(self._connection, advance, run_id=run_id, started_at=now)
            with held:
                self._in_doubt = True
                transaction.commit()
                self._in_doubt = False

    def abandon(self, run_id: str, outcome: Mapping[str, Any]) -> None:
        """Close the row of a run that failed, on a connection of its own; if that fails too, the next run does it."""
        try:
            with translate_errors(self._engine), self._engine.connect() as connection, writing(connection):
                runs.end(connection, run_id, outcome, {})
        except EtlError as error:
            if not self._in_doubt:  # else `is_written` has more to say
                _log.warning("the run's end could not be recorded: %s", error)

    def is_written(self, run_id: str) -> bool:
        """Whether the commit of a run that failed was made all the same, and only its answer lost.

        StoreError when a commit was asked for, and the database cannot tell what became of it.
        """
        if not self._in_doubt:
            return False
        try:
            with translate_errors(self._engine), self._engine.connect() as connection:
                return runs.status(connection, run_id) in {"succeeded", "partial"}
        except EtlError as error:
            raise StoreError(
                "The database failed at the commit, and does not answer. It is unknown whether this run was written: "
                "tfy-etl status tells once the database is back."
            ) from error


@contextmanager
def open_readonly(url: str) -> Iterator[Connection]:
    """A connection for a look, or for housekeeping; ConfigError when there is nothing to look at."""
    if is_new_file(url):
        raise ConfigError(f"{parse_url(url).database} is not there: tfy-etl sync creates it, or change --database-url.")
    with opened(url, read_only=True) as engine, database_of(engine.url).verify_unchanged(engine.url):
        schema.check(engine)
        with engine.connect() as connection:
            yield connection
