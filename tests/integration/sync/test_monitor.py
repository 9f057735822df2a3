from datetime import UTC, datetime

import pytest

from etl import run_context
from etl.errors import ConfigError, LockHeld, SourceUnavailable
from etl.models import SyncRun
from etl.simulator import fault
from etl.store import ALL_REPOS, Store
from etl.sync import Interrupts, RunMonitor, Summary, run
from tests.support.sync_env import Silent, SyncEnv


def run_monitored(env: SyncEnv, monitor: RunMonitor, **given: object) -> Summary:
    return run(env.settings(**given), interrupts=Interrupts(), progress=Silent(), monitor=monitor)


def test_run_has_the_id_of_its_monitor_until_it_ends(env: SyncEnv) -> None:
    seen = set()

    class IdRecorder(Silent):
        def phase(self, name: str) -> None:  # noqa: ARG002 of progress
            seen.add(run_context.run_id())

    settings, monitor = env.settings(), RunMonitor("of-mine")
    assert run(settings, interrupts=Interrupts(), progress=IdRecorder(), monitor=monitor).run_id == "of-mine"
    assert env.row(SyncRun)["id"] == "of-mine"
    assert (seen, run_context.run_id()) == ({"of-mine"}, None)


def test_monitor_of_a_complete_run_has_all_values(env: SyncEnv) -> None:
    before = datetime.now(UTC)
    monitor = RunMonitor()
    summary = run_monitored(env, monitor)
    assert monitor.client is not None
    assert (monitor.client.requests, monitor.client.bytes_received) == (summary.requests, summary.bytes_received)
    assert monitor.last_complete_at == env.row(SyncRun)["started_at"]
    assert monitor.started_at is not None
    assert monitor.finished_at is not None
    assert before <= monitor.started_at <= monitor.last_complete_at <= monitor.finished_at <= datetime.now(UTC)
    assert monitor.duration_s >= summary.duration_s > 0


def test_monitor_of_a_failed_run_has_its_requests_and_the_time_of_the_last_complete_run(env: SyncEnv) -> None:
    env.sync()
    complete = env.row(SyncRun)["started_at"]
    env.plane.faults = [fault("flaky_500:503,every=1")]
    monitor = RunMonitor()
    with pytest.raises(SourceUnavailable):
        run_monitored(env, monitor)
    assert monitor.client is not None
    assert monitor.client.requests > 0
    assert monitor.last_complete_at == complete
    assert monitor.finished_at is not None


def test_partial_and_dry_runs_do_not_count_as_complete(env: SyncEnv) -> None:
    dry = RunMonitor()
    run_monitored(env, dry, dry_run=True)
    assert dry.last_complete_at is None
    env.plane.faults = [fault("moving")]
    partial = RunMonitor()
    assert not run_monitored(env, partial, max_sweeps=1, page_size=2).complete
    assert partial.last_complete_at is None


def test_monitor_of_a_run_that_could_not_begin_has_a_start_and_an_end(env: SyncEnv) -> None:
    without_token, locked = RunMonitor(), RunMonitor()
    with pytest.raises(ConfigError):
        run_monitored(env, without_token, api_key=None)
    with Store(env.url) as store:
        store.lock(ALL_REPOS, 0)
        with pytest.raises(LockHeld):
            run_monitored(env, locked)
    assert without_token.client is None
    assert locked.client is not None
    for each in (without_token, locked):
        assert each.started_at is not None
        assert each.finished_at is not None


def test_scope_without_a_complete_run_does_not_use_the_time_of_the_whole_registry(env: SyncEnv) -> None:
    env.sync()
    env.plane.faults = [fault("flaky_500:503,every=1")]
    monitor = RunMonitor()
    with pytest.raises(SourceUnavailable):
        run_monitored(env, monitor, ml_repo=("1",), max_retries=0)
    assert monitor.last_complete_at is None
