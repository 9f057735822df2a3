"""The database as a run uses it: lock, staging, reconcile, the run's record, one commit."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection

from etl.errors import ConfigError, EtlError, StoreError
from etl.store import reconcile, runs, schema, totals
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
    """An open database. It raises every failure as an EtlError with a message of one line."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """`read_only` never creates a file: a missing one is treated as an empty database."""
        self._read_only = read_only
        self._engine = open_engine(url, read_only=read_only)
        self._database = database_of(self._engine.url)
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
    def _connection(self) -> Connection:
        if self._open is None:
            self._open = self._stack.enter_context(self._engine.connect())
        return self._open

    def translate_errors(self) -> AbstractContextManager[None]:
        """Translate errors in a block, so that a handler around it already gets EtlErrors."""
        return translate_errors(self._engine)

    def lock(self, ml_repos: Sequence[str], wait: float) -> None:
        """Hold the lock of the whole registry, or of some ML repos, until the store is closed.

        LockHeld if another run still holds it after `wait` seconds.
        """
        self._stack.enter_context(self._database.run_lock(self._engine, lambda: self._connection, ml_repos, wait))

    def ensure_schema(self) -> None:
        """Create or migrate the schema if needed; SchemaMismatch, with the fix, if that fails."""
        if self._read_only and not is_in_memory(self._engine.url):
            schema.check(self._engine)
        else:
            schema.ensure(self._engine)

    def scope_state(self, label: str) -> Mapping[str, Any]:
        """Return the row of a scope, else the whole registry's; empty without a complete run."""
        return runs.scope_state(self._connection, label) or runs.scope_state(self._connection, runs.WHOLE) or {}

    def check_same_host(self, host: str) -> None:
        """Raise ConfigError if the tables were filled from another control plane."""
        runs.check_same_host(self._connection, host)

    def is_empty(self, ml_repos: Sequence[str]) -> bool:
        """Whether nothing was ever stored of the given ML repos (of any if none given)."""
        return runs.is_empty(self._connection, ml_repos)

    def stored_versions(self, ml_repos: Sequence[str]) -> int:
        """Count the live versions that are stored."""
        return runs.stored_versions(self._connection, ml_repos)

    def live_counts(self, ml_repos: Sequence[str], *, listed_only: bool) -> dict[str, int]:
        """Count the live records by table; `listed_only`: of the models that this run has listed."""
        return totals.live_counts(self._connection, ml_repos, listed_only=listed_only)

    def staging(self) -> Staging:
        """Create the run's temporary tables."""
        return Staging(self._connection)

    def analyze_staging(self) -> None:
        """Gather statistics of the staging tables, so that the database plans later queries well."""
        with self._connection.begin():
            self._database.analyze(self._connection, ALL)

    def find_missing(self, ml_repos: Sequence[str], *, every_version_read: bool, spare: Collection[str]) -> None:
        """Find the records that the source no longer has."""
        reconcile.find_missing(self._connection, ml_repos, every_version_read=every_version_read, spare=spare)

    def missing_models(self) -> list[str]:
        """Return the ids of the missing models."""
        return reconcile.missing_ids(self._connection, "models")

    def emptied_repos(self) -> list[reconcile.EmptiedRepo]:
        """Return the ML repos whose models are all missing."""
        return reconcile.emptied_repos(self._connection)

    def cancel_deletes(self, model_ids: Sequence[str] | None = None) -> None:
        """Cancel the deletes of these models and their versions; without ids, all deletes."""
        reconcile.cancel_deletes(self._connection, model_ids)

    def tallies(self) -> dict[str, Tally]:
        """Find the records to restore, and return the run's counts by table."""
        reconcile.find_restored(self._connection)
        return reconcile.tallies(self._connection)

    def check_delete_limit(self, tallies: Mapping[str, Tally], ml_repos: Sequence[str], max_share: float) -> None:
        """Raise MassDelete if the run would delete too large a share of a table."""
        reconcile.check_delete_limit(self._connection, tallies, ml_repos, max_share)

    def begin(self, run: Mapping[str, Any]) -> None:
        """Write the row of a run that starts."""
        runs.begin(self._connection, run)

    def commit(  # noqa: PLR0913 all inputs of the one transaction
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
        """Merge the staged rows, close the run's row and update its scope, in one transaction.

        The transaction makes no network call except to the database. `now` is the run's start. `outcome` is called
        after the merge. `held` blocks signals during the commit.
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
        """Close the row of a failed run, on a new connection; if that fails, the next run does it."""
        try:
            with translate_errors(self._engine), self._engine.connect() as connection, writing(connection):
                runs.end(connection, run_id, outcome, {})
        except EtlError as error:
            if not self._in_doubt:  # if in doubt, `is_written` reports the failure
                _log.warning("the run's end could not be recorded: %s", error)

    def is_written(self, run_id: str) -> bool:
        """Whether the commit of a failed run succeeded, and only the database's answer was lost.

        StoreError if a commit was sent, and the database does not answer whether it succeeded.
        """
        if not self._in_doubt:
            return False
        try:
            with translate_errors(self._engine), self._engine.connect() as connection:
                return runs.status(connection, run_id) in {"succeeded", "partial"}
        except EtlError as error:
            raise StoreError(
                "The database failed at the commit, and does not answer. It is unknown whether this run was written: "
                "run tfy-etl status once the database is back."
            ) from error


@contextmanager
def open_readonly(url: str) -> Iterator[Connection]:
    """Open a connection for queries or `prune`; ConfigError if the database does not exist."""
    if is_new_file(url):
        raise ConfigError(f"{parse_url(url).database} is not there: tfy-etl sync creates it, or change --database-url.")
    with opened(url, read_only=True) as engine, database_of(engine.url).verify_unchanged(engine.url):
        schema.check(engine)
        with engine.connect() as connection:
            yield connection
