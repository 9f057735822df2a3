import os
import signal
import threading
from dataclasses import dataclass

import pytest

from etl.errors import Interrupted, StoreError
from etl.models import SyncRun
from etl.sync import Interrupts, run
from tests.mirror import Mirror, Silent

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_both_signals_interrupt_and_are_given_back(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        send(number)

    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_second_signal_does_not_disturb_the_clearing_up() -> None:
    with Interrupts():
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)
        send(signal.SIGTERM)
        send(signal.SIGINT)


def test_a_signal_during_the_commit_is_ignored_and_so_is_one_after_it() -> None:
    with Interrupts() as interrupts:
        with interrupts.held():
            send(signal.SIGTERM)
        send(signal.SIGINT)


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    handlers: list[object] = []

    def enter() -> None:
        with Interrupts():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()

    assert handlers == [signal.getsignal(signal.SIGTERM)]


@dataclass
class StopsAt(Silent):
    """Sends a signal when the run begins a phase."""

    stop: str

    def phase(self, name: str) -> None:
        if name == self.stop:
            send(signal.SIGTERM)


@pytest.mark.parametrize("phase", ["finding the API", "models", "versions", "comparing", "writing"])
def test_a_run_interrupted_anywhere_writes_nothing_but_that(mirror: Mirror, phase: str) -> None:
    mirror.sync()
    mirror.registry.add_version(mirror.registry.ids("models")[0])
    before = mirror.registry_dump()
    with Interrupts() as interrupts, pytest.raises(Interrupted) as interruption:
        run(mirror.settings(), interrupts=interrupts, progress=StopsAt(phase))

    (row,) = mirror.rows(SyncRun, SyncRun.status == "interrupted")
    assert interruption.value.exit_code == 130
    assert (row["complete"], row["error"]) == (False, "Interrupted: nothing was written.")
    assert row["finished_at"] >= row["started_at"]
    assert mirror.registry_dump() == before


def test_a_run_whose_end_cannot_be_recorded_still_tells_its_error(
    mirror: Mirror, caplog: pytest.LogCaptureFixture
) -> None:
    class Sabotage(Silent):
        def phase(self, name: str) -> None:
            if name == "comparing":
                mirror.execute("ALTER TABLE sync_runs RENAME TO hidden")
                mirror.execute("ALTER TABLE models RENAME TO hidden_too")

    with pytest.raises(StoreError, match="models"):
        run(mirror.settings(), interrupts=Interrupts(), progress=Sabotage())

    assert "the run's end could not be recorded" in caplog.text
