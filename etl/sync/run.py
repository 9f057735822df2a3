"""One run, from the lock to the commit."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import etl
from etl.enums import Coverage, Entity, RunStatus
from etl.errors import DeleteLimitExceeded, EtlError
from etl.settings import Settings
from etl.source import Client, ListingReader
from etl.store import MissingRecords, NewScopeState, Staging, Store, SupersedeMode, Tally, Vocabulary, reconcile, runs
from etl.store.scope_states import read_state
from etl.store.totals import live_counts
from etl.sync import missing_latest, unlisted_models
from etl.sync.confirm_deletes import confirm_deletes
from etl.sync.context import Context, Progress
from etl.sync.delete_limit import check_delete_limit, delete_limit_error
from etl.sync.extract import Extraction
from etl.sync.monitor import RunMonitor
from etl.sync.plan import Plan, is_full, plan_versions
from etl.sync.planned_changes import planned_changes
from etl.sync.retry_rejected import RejectedRetry
from etl.sync.scope import Scope
from etl.sync.signals import Interrupts
from etl.sync.stage_pages import PageStager, newest_credible
from etl.sync.summary import Summary, counts_of

_log = logging.getLogger(__name__)


@dataclass
class _Read:
    """The result of reading: the plan that was followed, the proofs, and the counts."""

    plan: Plan
    extraction: Extraction
    tallies: Mapping[Entity, Tally]
    live: Mapping[Entity, int]
    every_version: bool
    missing: MissingRecords

    @property
    def status(self) -> RunStatus:
        rejected = any(tally.rejected for tally in self.tallies.values())
        return RunStatus.SUCCEEDED if self.extraction.complete and not rejected else RunStatus.PARTIAL


def run(  # noqa: PLR0913 all but the settings are keyword-only
    settings: Settings,
    *,
    interrupts: Interrupts,
    progress: Progress,
    retry: RejectedRetry | None = None,
    monitor: RunMonitor | None = None,
    list_all_changes: bool = False,
) -> Summary:
    """Bring the database to the registry's state in one commit.

    With `retry`, the run reads only the rejected records that it names. `monitor` describes the run, even if it fails.
    With `list_all_changes`, the result of a dry run lists every change, instead of the first thousand.
    Raises EtlError if nothing was written.
    """
    scope, words = Scope.of(settings), Vocabulary(*settings.words())
    monitor = monitor or RunMonitor()
    with monitor, interrupts.time_limit(settings.max_run_time.total_seconds()):
        settings.require_source()
        with (
            Client(settings, settings.token()) as client,
            Store(settings.database(), read_only=settings.dry_run) as store,
        ):
            monitor.client = client
            if not settings.dry_run:
                store.lock(scope.repos, settings.lock_wait)
            now = datetime.now(UTC)  # after the wait for the lock: a run that waited starts only now
            store.ensure_schema()
            if not settings.accept_host:
                runs.check_same_host(store.connection, settings.base_url())
            state = read_state(store.connection, scope.as_json(), now)
            context = Context(
                settings=settings,
                scope=scope,
                store=store,
                client=client,
                interrupts=interrupts,
                progress=progress,
                monitor=monitor,
                started_at=now,
                state=state,
                first_load=not state.is_known and runs.is_empty(store.connection, scope.repos),
                retry=retry,
                list_all_changes=list_all_changes,
                words=words,
            )
            context.why_full = _why_full(context, scope.versions)
            monitor.last_complete_at = state.last_complete_at
            return _execute(context)


def _execute(context: Context) -> Summary:
    """Read and write. The caller holds the lock, and the tables exist."""
    if context.settings.dry_run:
        with _translate_errors(context):
            read = _read(context)
            return _summary(context, read, refusal=delete_limit_error(context, read.tallies))
    runs.begin(context.store.connection, _start_row(context))
    context.monitor.is_recorded = True
    with _record_failure(context):
        read = _read(context)
        check_delete_limit(context, read.tallies)
        _commit(context, read)
    if _advances(context, read):
        context.monitor.last_complete_at = context.started_at
    _log.info("run %s ended: %s; %s", context.id, read.status, counts_of(read.tallies))
    return _summary(context, read)


def _why_full(context: Context, coverage: str) -> str | None:
    """Return why the run compares every version; None if it does not, or cannot read them all."""
    if coverage != Coverage.ALL or context.retry is not None:
        return None
    return is_full(
        asked=context.settings.full,
        grew=Coverage.LATEST in context.state.coverages,
        last_full_at=context.state.last_full_at,
        now=context.started_at,
        full_every=context.settings.full_every,
        ml_repo=next(iter(context.scope.ml_repos), None),  # a batch has one turn, or it would take many
    )


def _start_row(context: Context) -> dict[str, Any]:
    return {
        "id": context.id,
        "started_at": context.started_at,
        "status": RunStatus.RUNNING,
        "complete": False,
        "scope": (context.retry or context.scope).as_json(),
        "host": context.settings.base_url(),
        "tool_version": etl.__version__,
        **context.so_far(),
    }


@contextmanager
def _record_failure(context: Context) -> Iterator[None]:
    """Record a failure in the run's row.

    If the row says that the run was written, the commit succeeded: then suppress the error.
    """
    try:
        with _translate_errors(context):
            yield
    except EtlError as error:
        context.store.record_failure(context.id, _end_row(context, error.run_status, context.client.redact(str(error))))
        if context.store.commit_succeeded(context.id):
            _log.warning("the database failed at the commit, but the run was written: only the answer was lost")
            return
        _log.info("run %s ended: %s", context.id, error.run_status)
        raise


@contextmanager
def _translate_errors(context: Context) -> Iterator[None]:
    """Turn every failure into an EtlError.

    After a signal or the time limit, the error says so, whatever error the interrupted driver raised.
    """
    try:
        with context.store.translate_errors():
            yield
    except (KeyboardInterrupt, EtlError) as error:
        context.interrupts.ignore()
        context.client.stop()
        if isinstance(error, EtlError) and not context.interrupts.requested:
            raise
        raise context.interrupts.reason() from error


def _end_row(context: Context, status: RunStatus, error: str | None) -> dict[str, Any]:
    return {"status": status, "finished_at": datetime.now(UTC), "error": error, **context.so_far()}


def _read(context: Context) -> _Read:
    """Read the registry into staging, and reconcile it with the tables.

    Changes no permanent table.
    """
    settings, scope, store = context.settings, context.scope, context.store
    context.phase("finding the API")
    context.client.discover()
    staging = Staging(store.connection)
    stager = PageStager(staging, scope, first_load=context.first_load)
    limits = (settings.page_size, settings.concurrency, settings.max_sweeps, settings.max_records)
    with ListingReader(context.client, *limits) as reader:
        extraction = Extraction(
            context.client,
            reader,
            stager,
            staging,
            scope,
            context.advance,
            before=context.state,
            accept_coverage=settings.accept_coverage,
            ml_repo_name=runs.name_to_find_by(store.connection, scope.repos),
        )
        if context.retry is None:
            plan, read_every = _read_lists(context, extraction)
        else:
            context.phase("rejected records")
            context.retry.read(context.client, extraction)
            plan, read_every = Plan("none", 0, "only rejected records are requested"), False
    context.phase("comparing")
    staging.analyze()
    if extraction.complete and scope.lists_every_model and context.retry is None and not settings.no_delete:
        spare = _spared(extraction)
        if reconcile.find_missing(store.connection, scope.repos, every_version_read=read_every, spare=spare):
            confirm_deletes(context.client, store, extraction, settings.confirm_deletes)
    reconcile.find_restored(store.connection)
    tallies = reconcile.tallies(store.connection)
    live = live_counts(store.connection, scope.repos, listed_only=not scope.lists_every_model)
    for warning in stager.warnings():
        extraction.warn(warning)
    return _Read(plan, extraction, tallies, live, read_every, _missing(context, extraction, every_version=read_every))


def _read_lists(context: Context, extraction: Extraction) -> tuple[Plan, bool]:
    """Read the scope's lists. Return how versions were read, and whether all of them were."""
    context.phase("ML repos")
    extraction.ml_repos()
    context.phase("models")
    extraction.models()
    context.coverage = extraction.coverage
    context.why_full = _why_full(context, extraction.coverage or "")
    plan = _plan(context, extraction)
    _log.info("versions are read: %s", plan)
    context.phase("versions")
    every_version = extraction.versions(plan, full=context.why_full is not None)
    missing_latest.read_models_again(extraction, plan)
    unlisted_models.read_versions(context, extraction, every_version_read=every_version)
    context.coverage = extraction.coverage
    return plan, every_version


def _missing(context: Context, extraction: Extraction, *, every_version: bool) -> MissingRecords:
    """Return the rejected records that the source no longer has.

    Their ML repos are unknown, so that only a run over the whole registry can detect this.
    """
    if context.retry is not None:
        return context.retry.missing
    if not extraction.complete or not context.scope.lists_every_model or context.scope.ml_repos:
        return MissingRecords()
    listed = {Entity.ML_REPOS, Entity.MODELS} | ({Entity.MODEL_VERSIONS} if every_version else set())
    return MissingRecords(entities=listed - _spared(extraction))


def _spared(extraction: Extraction) -> set[Entity]:
    """Return the tables in which the run may mark nothing as deleted.

    A record without an id may be any stored record of its table. A model without an id spares all versions too. If the
    control plane does not list ML repos, their absence from lists proves nothing.
    """
    spared = extraction.stager.nameless | (set() if extraction.lists_ml_repos else {Entity.ML_REPOS})
    return spared | {Entity.MODEL_VERSIONS} if Entity.MODELS in spared else spared


def _plan(context: Context, extraction: Extraction) -> Plan:
    if extraction.coverage is Coverage.LATEST:
        return Plan("embedded", 0, extraction.why_latest)
    return plan_versions(
        why_full=context.why_full,
        due=extraction.staging.count_due(),
        models=extraction.staging.count_seen(Entity.MODELS),
        stored=runs.stored_versions(context.store.connection, context.scope.repos),
        page_size=extraction.reader.page_size,
        can_sweep=context.scope.covers_every_version,
    )


def _commit(context: Context, read: _Read) -> None:
    context.phase("writing")
    found = read.extraction
    context.store.commit(
        context.id,
        lambda: _end_row(context, read.status, None) | {"complete": found.complete, "proof": found.proof},
        read.tallies,
        repos=context.scope.repos,
        now=context.started_at,
        newest_credible=newest_credible(),
        first_load=context.first_load,
        missing=read.missing,
        supersede=_supersede(context, found),
        advance=_advance(context, read) if _advances(context, read) else None,
        words=context.words,
        signals_ignored=context.interrupts.ignored(),
    )


def _advance(context: Context, read: _Read) -> NewScopeState:
    return NewScopeState(
        context.scope.as_json(),
        full=context.coverage is Coverage.ALL and (context.why_full is not None or read.every_version),
        coverage=context.coverage or Coverage.ALL,
        lists_ml_repos=read.extraction.lists_ml_repos,
    )


def _supersede(context: Context, extraction: Extraction) -> SupersedeMode:
    """Choose which versions the run marks as superseded, or no longer so."""
    was_all = context.state.coverages != {Coverage.LATEST} or context.state.is_first
    if context.retry is not None:
        return SupersedeMode.NOTHING if was_all else SupersedeMode.CHANGED
    if context.coverage is Coverage.ALL:
        return SupersedeMode.CLEAR
    if was_all and extraction.shrank:  # the next run may list versions again
        return SupersedeMode.NOTHING
    # If this scope wants only latest versions, other runs may keep the rest up to date.
    return SupersedeMode.EVERY if context.scope.versions == "all" else SupersedeMode.CHANGED


def _advances(context: Context, read: _Read) -> bool:
    """Whether the run makes its scope fresh: it read all of it, and not only rejected records."""
    # An empty scope does not become fresh: its filter may be misspelt.
    found = read.extraction.found_models or context.scope.lists_every_model
    return read.extraction.complete and context.retry is None and found


def _summary(context: Context, read: _Read, *, refusal: DeleteLimitExceeded | None = None) -> Summary:
    return Summary(
        run_id=None if context.settings.dry_run else context.id,
        status=read.status if refusal is None else refusal.run_status,
        complete=read.extraction.complete,
        coverage=context.coverage,
        needs_acceptance=read.extraction.needs_acceptance,
        mode=context.mode,
        proof=read.extraction.proof,
        duration_s=context.monitor.elapsed(),
        requests=context.client.requests,
        retries=context.client.retries,
        bytes_received=context.client.bytes_received,
        tallies=read.tallies,
        live=read.live,
        plan=read.plan,
        changes=planned_changes(context),
        warnings=[*read.extraction.warnings, *([str(refusal)] if refusal else [])],
    )
