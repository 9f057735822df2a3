"""One run, from the lock to the commit."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import etl
from etl.errors import DeleteLimitExceeded, EtlError, Interrupted
from etl.settings import Settings
from etl.source import Client, Reader
from etl.store import Advance, Coverage, Gone, Store, Supersede, Tally
from etl.sync.doubt import doubt
from etl.sync.garbage import Garbage
from etl.sync.intake import Intake
from etl.sync.interrupts import Interrupts
from etl.sync.plan import Plan, is_full, plan_versions
from etl.sync.reading import Readings
from etl.sync.rereading import Rereading
from etl.sync.scope import Scope
from etl.sync.summary import Summary, counts_of
from etl.sync.watch import Watch

_log = logging.getLogger(__name__)


class Progress(Protocol):
    """Is told what a run is at."""

    def phase(self, name: str) -> None:
        """A new part of the run begins."""

    def advance(self, entity: str, records: int, total: int | None) -> None:
        """Records came; `total` is how many the list says it has."""


@dataclass
class _Run:
    """What stays the same from a run's start to its end."""

    settings: Settings
    scope: Scope
    store: Store
    client: Client
    interrupts: Interrupts
    progress: Progress
    garbage: Garbage
    watch: Watch
    started_at: datetime
    state: Mapping[str, Any]
    why_full: str | None
    first_load: bool
    rereading: Rereading | None
    coverage: Coverage | None = None

    @property
    def id(self) -> str:
        return self.watch.run_id

    @property
    def mode(self) -> str:
        return "incremental" if self.why_full is None else "full"

    @property
    def own_state(self) -> Mapping[str, Any]:
        """What is known of the scope itself: the whole registry's state may stand in for it."""
        return self.state if self.state.get("scope") == self.scope.label() else {}

    def phase(self, name: str) -> None:
        self.interrupts.check()
        self.progress.phase(name)

    def advance(self, entity: str, records: int, total: int | None) -> None:
        self.interrupts.check()
        self.garbage.page(records)
        self.progress.advance(entity, records, total)

    def so_far(self) -> dict[str, Any]:
        """What is known of the run by now, as its row has it."""
        return {
            "api_prefix": self.client.prefix,
            "mode": self.mode,
            "coverage": self.coverage,
            "requests": self.client.requests,
            "retries": self.client.retries,
            "bytes_received": self.client.bytes_received,
        }


@dataclass
class _Read:
    """What reading brought: the plan that was followed, what was proven, and the counts that follow."""

    plan: Plan
    readings: Readings
    tallies: Mapping[str, Tally]
    every_version: bool
    gone: Gone
    refusal: DeleteLimitExceeded | None

    @property
    def status(self) -> str:
        if self.refusal is not None:
            return "refused"
        rejected = any(tally.rejected for tally in self.tallies.values())
        return "succeeded" if self.readings.complete and not rejected else "partial"


def run(
    settings: Settings,
    *,
    interrupts: Interrupts,
    progress: Progress,
    rereading: Rereading | None = None,
    watch: Watch | None = None,
) -> Summary:
    """Bring the database to the registry's state, in one commit. Raises EtlError: then nothing was written.

    With a `rereading` only the rejected records that it names are read. The `watch` knows in the end what the run was
    like, however it ended.
    """
    scope = Scope.of(settings)
    watch = watch or Watch()
    with (
        watch,
        Garbage() as garbage,
        Client(settings, settings.token()) as client,
        Store(settings.database_url, read_only=settings.dry_run) as store,
    ):
        watch.client = client
        if not settings.dry_run:
            store.lock(scope.ml_repos, settings.lock_wait)
        now = datetime.now(UTC)  # a run that waited starts only here
        store.ensure_schema()
        if not settings.accept_host:
            store.stay_with(settings.base_url())
        state = store.scope_state(scope.label())
        this = _Run(
            settings,
            scope,
            store,
            client,
            interrupts,
            progress,
            garbage,
            watch,
            now,
            state,
            None,
            not state and store.is_empty(scope.ml_repos),
            rereading,
        )
        this.why_full = _why_full(this, scope.versions)
        watch.last_complete_at = this.own_state.get("last_complete_at")
        return _made(this)


def _made(this: _Run) -> Summary:
    """The run itself, once it has the lock and its tables."""
    if this.settings.dry_run:
        with _explained(this):
            return _summary(this, _read(this), run_id=None)
    this.store.begin(_opening(this))
    this.watch.is_recorded = True
    with _recorded(this):
        read = _read(this)
        _commit(this, read)
    if _advances(this, read):
        this.watch.last_complete_at = this.started_at
    _log.info("run %s ended: %s; %s", this.id, read.status, counts_of(read.tallies))
    return _summary(this, read, run_id=this.id)


def _why_full(this: _Run, coverage: str) -> str | None:
    """Why every version is compared; None where they cannot all be read."""
    if coverage != Coverage.ALL or this.rereading is not None:
        return None
    return is_full(
        asked=this.settings.full,
        grew=this.own_state.get("coverage") == Coverage.LATEST,
        last_full_at=this.state.get("last_full_at"),
        now=this.started_at,
        full_every=this.settings.full_every,
    )


def _opening(this: _Run) -> dict[str, Any]:
    return {
        "id": this.id,
        "started_at": this.started_at,
        "status": "running",
        "complete": False,
        "scope": (this.rereading or this.scope).as_json(),
        "host": this.settings.base_url(),
        "tool_version": etl.__version__,
        **this.so_far(),
    }


@contextmanager
def _recorded(this: _Run) -> Iterator[None]:
    """However the run ends short of its commit, its row says so. Where the row says that it was written, it was."""
    try:
        with _explained(this):
            yield
    except EtlError as error:
        this.store.abandon(this.id, _ending(this, error.run_status, str(error)))
        if this.store.is_written(this.id):
            _log.warning("the database failed at the commit, but made it: only the answer was lost")
            return
        _log.info("run %s ended: %s", this.id, error.run_status)
        raise


@contextmanager
def _explained(this: _Run) -> Iterator[None]:
    """What ends the run is an EtlError: Interrupted after a signal, whatever a driver that it disturbed made of it."""
    try:
        with this.store.explained():
            yield
    except (KeyboardInterrupt, EtlError) as error:
        this.interrupts.settle()
        if isinstance(error, EtlError) and not this.interrupts.requested:
            raise
        raise Interrupted("Interrupted: nothing was written.") from error


def _ending(this: _Run, status: str, error: str | None) -> dict[str, Any]:
    return {"status": status, "finished_at": datetime.now(UTC), "error": error, **this.so_far()}


def _read(this: _Run) -> _Read:
    """Read the registry into staging, and settle what it means. Writes no table of the database."""
    settings, scope, store = this.settings, this.scope, this.store
    this.phase("finding the API")
    this.client.discover()
    staging = store.staging()
    intake = Intake(staging, scope, log_changes=not this.first_load)
    with Reader(this.client, settings.page_size, settings.concurrency, settings.max_sweeps) as reader:
        readings = Readings(
            this.client,
            reader,
            intake,
            staging,
            scope,
            this.advance,
            before=this.own_state,
            accept_coverage=settings.accept_coverage,
        )
        if this.rereading is None:
            plan, every_version = _read_lists(this, readings)
        else:
            this.phase("rejected records")
            this.rereading.read(this.client, readings)
            plan, every_version = Plan("none", 0, "only rejected records are asked for"), False
    this.phase("comparing")
    lists_all = scope.lists_every_model and this.rereading is None
    store.staged()
    if readings.complete and lists_all and not settings.no_delete:
        store.doom(scope.ml_repos, every_version_read=every_version, spare=_spared(readings))
        doubt(this.client, store, readings, settings.confirm_deletes)
    tallies = store.tallies()
    if intake.stale:
        readings.warn(f"{intake.stale} records came older than they are stored: the newer ones were kept.")
    gone = _gone(this, readings, every_version=every_version)
    return _Read(plan, readings, tallies, every_version, gone, refusal=_refusal(this, tallies))


def _read_lists(this: _Run, readings: Readings) -> tuple[Plan, bool]:
    """Read what the scope lists; how versions were read, and whether that brought every one of them."""
    this.phase("ML repos")
    readings.ml_repos()
    this.phase("models")
    readings.models()
    this.coverage = readings.coverage
    this.why_full = _why_full(this, readings.coverage or "")
    plan = _plan(this, readings)
    _log.info("versions are read: %s, about %d requests, because %s", plan.way, plan.requests, plan.because)
    this.phase("versions")
    every_version = readings.versions(plan, full=this.why_full is not None)
    this.coverage = readings.coverage
    return plan, every_version


def _refusal(this: _Run, tallies: Mapping[str, Tally]) -> DeleteLimitExceeded | None:
    """Why the run may not be written; a dry run tells it beside the counts."""
    if this.settings.allow_mass_delete:
        return None
    try:
        this.store.guard(tallies, this.scope.ml_repos, this.settings.max_delete_share)
    except DeleteLimitExceeded as error:
        return error
    return None


def _gone(this: _Run, readings: Readings, *, every_version: bool) -> Gone:
    """Rejected records that the source no longer has: nobody knows their ML repos, so only a run over all can tell."""
    if this.rereading is not None:
        return this.rereading.gone
    if not readings.complete or not this.scope.lists_every_model or this.scope.ml_repos:
        return Gone()
    listed = {"ml_repos", "models"} | ({"model_versions"} if every_version else set())
    return Gone(entities=listed - _spared(readings))


def _spared(readings: Readings) -> set[str]:
    """Tables of which nothing may be marked as deleted.

    A record without an id may be any of those stored; a model without one takes its versions along. ML repos that are
    not listed are missing in no list.
    """
    spared = set[str](readings.intake.nameless) | (set() if readings.lists_ml_repos else {"ml_repos"})
    return spared | {"model_versions"} if "models" in spared else spared


def _plan(this: _Run, readings: Readings) -> Plan:
    if readings.coverage is Coverage.LATEST:
        return Plan("embedded", 0, readings.why_latest)
    return plan_versions(
        why_full=this.why_full,
        due=readings.staging.count_due(),
        models=readings.staging.count_seen("models"),
        stored=this.store.stored_versions(this.scope.ml_repos),
        page_size=readings.reader.page_size,
        can_sweep=this.scope.covers_every_version,
    )


def _commit(this: _Run, read: _Read) -> None:
    if read.refusal is not None:
        raise read.refusal
    this.phase("writing")
    this.store.commit(
        this.id,
        lambda: _ending(this, read.status, None) | {"complete": read.readings.complete, "proof": read.readings.proof},
        read.tallies,
        ml_repos=this.scope.ml_repos,
        now=this.started_at,
        log_changes=not this.first_load,
        gone=read.gone,
        supersede=_supersede(this, read.readings),
        advance=_advance(this, read) if _advances(this, read) else None,
        held=this.interrupts.held(),
    )


def _advance(this: _Run, read: _Read) -> Advance:
    return Advance(
        this.scope.label(),
        full=this.coverage is Coverage.ALL and (this.why_full is not None or read.every_version),
        coverage=this.coverage or Coverage.ALL,
        lists_ml_repos=read.readings.lists_ml_repos,
    )


def _supersede(this: _Run, readings: Readings) -> Supersede:
    """Which versions are kept up to date no longer, or again."""
    if this.rereading is not None or readings.shrank:
        return Supersede.NOTHING
    if this.coverage is Coverage.ALL:
        return Supersede.CLEAR
    was_all = this.own_state.get("coverage") != Coverage.LATEST
    # Where latest versions alone are wanted, other runs may keep the rest up to date.
    return Supersede.EVERY if was_all and this.scope.versions == "all" else Supersede.CHANGED


def _advances(this: _Run, read: _Read) -> bool:
    """Whether its scope is as fresh as this run: it was read in full, and not only what had been rejected."""
    # A scope that nothing is in is none to be fresh: its filter may be misspelt.
    found = read.readings.found_models or this.scope.lists_every_model
    return read.readings.complete and this.rereading is None and found


def _summary(this: _Run, read: _Read, *, run_id: str | None) -> Summary:
    return Summary(
        run_id=run_id,
        status=read.status,
        complete=read.readings.complete,
        coverage=this.coverage,
        mode=this.mode,
        proof=read.readings.proof,
        duration_s=this.watch.elapsed(),
        requests=this.client.requests,
        retries=this.client.retries,
        bytes_received=this.client.bytes_received,
        tallies=read.tallies,
        plan=read.plan,
        warnings=[*read.readings.warnings, *([str(read.refusal)] if read.refusal else [])],
    )
