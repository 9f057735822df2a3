"""--max-run-time: a run that takes longer fails with a one-line error and writes nothing."""

import signal
import threading
from datetime import timedelta

import pytest

from etl.errors import TimeLimitExceeded
from etl.models import Model, SyncRun
from etl.simulator import fault
from etl.sync import Interrupts, run
from tests.support.patience import patience
from tests.support.sync_env import Silent, SyncEnv


def test_run_that_waits_for_an_endless_response_ends_at_its_time_limit(env: SyncEnv) -> None:
    env.plane.faults = [fault("endless:status,endpoint=ml-repos")]
    seconds = 1
    while not env.plane.log:  # a slow machine may need longer to send the first request
        seconds *= 2
        process = env.start("--max-run-time", f"{seconds}s")
        out, err = process.communicate(timeout=patience())
    error = (
        f"The run took longer than --max-run-time, {seconds} seconds: nothing was written. Raise the limit, or find "
        "out why the control plane or the database is slow."
    )

    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[-1] == f"Error: {error}"
    row = env.rows(SyncRun)[-1]
    assert (row["status"], row["error"], env.rows(Model)) == ("failed", error, [])


def test_run_ends_at_its_time_limit_without_signal_handlers(env: SyncEnv) -> None:
    interrupts, started = Interrupts(), threading.Event()

    class Slow(Silent):
        def phase(self, name: str) -> None:
            if name == "versions":
                started.set()
                for _ in range(round(patience() * 100)):
                    if interrupts.requested:
                        return
                    threading.Event().wait(0.01)

    with pytest.raises(TimeLimitExceeded):
        run(env.settings(max_run_time=timedelta(seconds=3)), interrupts=interrupts, progress=Slow())
    assert started.is_set()
    assert env.row(SyncRun)["status"] == "failed"
    assert env.rows(Model) == []


def test_run_within_its_time_limit_succeeds_and_leaves_no_timer(env: SyncEnv) -> None:
    with Interrupts() as interrupts:
        summary = run(env.settings(max_run_time=timedelta(hours=1)), interrupts=interrupts, progress=Silent())
    assert summary.complete
    assert [each.name for each in threading.enumerate() if isinstance(each, threading.Timer)] == []


@pytest.mark.parametrize("is_final", [True, False])
def test_time_limit_interrupts_a_wait_only_until_the_result_is_final(*, is_final: bool) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts() as interrupts:
        if is_final:
            interrupts.ignore()
        event = threading.Event()
        try:
            with interrupts.time_limit(0.05):
                event.wait(0.3 if is_final else patience())
        except TimeLimitExceeded:
            assert not is_final
        else:
            assert is_final
    assert signal.getsignal(signal.SIGTERM) is before


def test_wait_for_the_lock_counts_towards_the_time_limit(env: SyncEnv) -> None:
    held, done = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        held.set()
        done.wait(patience())

    env.plane.before_request = hold
    holder = env.start()
    assert held.wait(patience())
    waiting = env.start("--max-run-time", "1s", "--lock-wait", "1000")
    _, err = waiting.communicate(timeout=patience())
    done.set()
    assert (waiting.returncode, holder.wait(patience())) == (1, 0)
    assert "The run took longer than --max-run-time, 1 second: nothing was written." in err
