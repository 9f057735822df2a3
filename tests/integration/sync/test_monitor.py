from datetime import UTC, datetime

import pytest

from etl import run_context
from etl.errors import ConfigError, LockHeld, SourceUnavailable
from etl.models import SyncRun
from etl.simulator import fault
from etl.store import ALL_REPOS, Store
from etl.sync import Interrupts, RunMonitor, Summary, run
from tests.support.sync_env import Silent, SyncEnv


def watched(env: SyncEnv, watch: RunMonitor, **given: object) -> Summary:
    return run(env.settings(**given), interrupts=Interrupts(), progress=Silent(), monitor=watch)


def test_a_run_has_the_id_that_its_watch_names_and_only_as_long_as_it_lasts(env: SyncEnv) -> None:
    seen = set()

    class Asking(Silent):
        def phase(self, name: str) -> None:  # noqa: ARG002 of progress
            seen.add(run_context.run_id())

    settings, watch = env.settings(), RunMonitor("of-mine")
    assert run(settings, interrupts=Interrupts(), progress=Asking(), monitor=watch).run_id == "of-mine"
    assert env.row(SyncRun)["id"] == "of-mine"
    assert (seen, run_context.run_id()) == ({"of-mine"}, None)


def test_after_a_complete_run_all_is_known(env: SyncEnv) -> None:
    before = datetime.now(UTC)
    watch = RunMonitor()
    summary = watched(env, watch)
    assert watch.client is not None
    assert (watch.client.requests, watch.client.bytes_received) == (summary.requests, summary.bytes_received)
    assert watch.last_complete_at == env.row(SyncRun)["started_at"]
    assert watch.started_at is not None
    assert watch.finished_at is not None
    assert before <= watch.started_at <= watch.last_complete_at <= watch.finished_at <= datetime.now(UTC)
    assert watch.duration_s >= summary.duration_s > 0


def test_of_a_failed_run_it_is_known_what_it_asked_for_and_when_the_last_was_complete(env: SyncEnv) -> None:
    env.sync()
    complete = env.row(SyncRun)["started_at"]
    env.plane.faults = [fault("flaky_500:503,every=1")]
    watch = RunMonitor()
    with pytest.raises(SourceUnavailable):
        watched(env, watch)
    assert watch.client is not None
    assert watch.client.requests > 0
    assert watch.last_complete_at == complete
    assert watch.finished_at is not None


def test_a_partial_run_and_a_dry_one_leave_the_last_complete_one_as_it_was(env: SyncEnv) -> None:
    dry = RunMonitor()
    watched(env, dry, dry_run=True)
    assert dry.last_complete_at is None
    env.plane.faults = [fault("moving")]
    partial = RunMonitor()
    assert not watched(env, partial, max_sweeps=1, page_size=2).complete
    assert partial.last_complete_at is None


def test_a_run_that_never_came_to_its_work_has_a_start_and_an_end(env: SyncEnv) -> None:
    without_token, locked = RunMonitor(), RunMonitor()
    with pytest.raises(ConfigError):
        watched(env, without_token, api_key=None)
    with Store(env.url) as store:
        store.lock(ALL_REPOS, 0)
        with pytest.raises(LockHeld):
            watched(env, locked)
    assert without_token.client is None
    assert locked.client is not None
    for each in (without_token, locked):
        assert each.started_at is not None
        assert each.finished_at is not None


def test_a_scope_that_was_never_complete_has_not_the_time_of_the_whole_registry(env: SyncEnv) -> None:
    env.sync()
    env.plane.faults = [fault("flaky_500:503,every=1")]
    watch = RunMonitor()
    with pytest.raises(SourceUnavailable):
        watched(env, watch, ml_repo=("1",), max_retries=0)
    assert watch.last_complete_at is None
