import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from etl.errors import Interrupted, StoreError
from etl.models import Model, SyncRun
from etl.store import Store
from etl.sync import Interrupts, run
from tests.support.sync_env import Silent, SyncEnv

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def default_sighup() -> Iterator[None]:
    """Set the default SIGHUP handler, because the tests may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def send_signal(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_interrupts_and_its_handler_is_restored(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        send_signal(number)

    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_sighup_stays_ignored_if_it_was_ignored_before() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Interrupts() as interrupts:
            send_signal(signal.SIGHUP)
        assert not interrupts.requested
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_caller_with_its_own_signal_handlers_can_interrupt_a_run(env: SyncEnv) -> None:
    interrupts = Interrupts()

    class Stopping(Silent):
        def phase(self, name: str) -> None:
            if name == "versions":
                interrupts.interrupt()

    with pytest.raises(Interrupted):
        run(env.settings(), interrupts=interrupts, progress=Stopping())
    interrupts.interrupt()  # the run has ended: this has no effect

    assert env.row(SyncRun)["status"] == "interrupted"
    assert env.rows(Model) == []


def test_a_signal_before_the_first_request_interrupts_the_run(env: SyncEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "lock", lambda *_: send_signal(signal.SIGTERM))
    with Interrupts() as interrupts, pytest.raises(Interrupted):
        run(env.settings(), interrupts=interrupts, progress=Silent())
    assert env.plane.log == []


def test_every_signal_interrupts_until_signals_are_ignored() -> None:
    with Interrupts() as interrupts:
        for number in (signal.SIGTERM, signal.SIGINT):
            with pytest.raises(KeyboardInterrupt):
                send_signal(number)
        interrupts.ignore()
        send_signal(signal.SIGTERM)
        send_signal(signal.SIGINT)


def test_signals_during_and_after_the_commit_are_ignored() -> None:
    with Interrupts() as interrupts:
        with interrupts.ignored():
            send_signal(signal.SIGTERM)
        send_signal(signal.SIGINT)

    assert not interrupts.requested


def test_signals_interrupt_again_after_a_failed_commit() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(StoreError), interrupts.ignored():
            raise StoreError
        with pytest.raises(KeyboardInterrupt):
            send_signal(signal.SIGTERM)


@pytest.mark.parametrize("last", [True, False])
def test_after_the_last_commit_of_a_process_signals_stay_ignored(*, last: bool) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interrupts(last=last) as interrupts, interrupts.ignored():
        pass
    after = [signal.signal(number, handler) for number, handler in zip(SIGNALS, before, strict=True)]

    assert after == ([signal.SIG_IGN] * len(SIGNALS) if last else before)


def test_a_signal_inside_exec_keeps_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text("""
import os, signal, sys
from etl.sync import Interrupts
try:
    with Interrupts(last=True) as interrupts:
        exec("os.kill(os.getpid(), signal.SIGTERM)")
except KeyboardInterrupt:
    sys.exit(130)
""")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", "interrupted"]
    assert subprocess.run(command, env=environment, check=False).returncode == 130


def send_dropped_signal(number: signal.Signals) -> None:
    """Send a signal in a weakref callback, where Python drops the exception."""

    class Referent:
        pass

    referent = Referent()
    reference = weakref.ref(referent, lambda _: send_signal(number))
    del referent
    assert reference() is None


@pytest.fixture
def dropped_exceptions(monkeypatch: pytest.MonkeyPatch) -> list[type[BaseException]]:
    """The types of the exceptions that Python dropped."""
    kinds: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: kinds.append(dropped.exc_type))
    return kinds


def test_a_signal_whose_exception_python_dropped_prevents_the_commit(
    dropped_exceptions: list[type[BaseException]],
) -> None:
    with Interrupts() as interrupts:
        send_dropped_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        with pytest.raises(KeyboardInterrupt), interrupts.ignored():
            pytest.fail("the commit was made")
        with pytest.raises(KeyboardInterrupt):
            send_signal(signal.SIGTERM)

    assert dropped_exceptions == [KeyboardInterrupt]


def test_outside_the_main_thread_no_handler_is_replaced() -> None:
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
            send_signal(signal.SIGTERM)


@pytest.mark.parametrize("phase", ["finding the API", "models", "versions", "comparing", "writing"])
def test_a_run_interrupted_in_any_phase_writes_only_its_status(env: SyncEnv, phase: str) -> None:
    env.sync()
    env.registry.add_version(env.registry.ids("models")[0])
    before = env.registry_dump()
    with Interrupts() as interrupts, pytest.raises(Interrupted) as interruption:
        run(env.settings(), interrupts=interrupts, progress=StopsAt(phase))

    (row,) = env.rows(SyncRun, SyncRun.status == "interrupted")
    assert interruption.value.exit_code == 130
    assert (row["complete"], row["error"]) == (False, "Interrupted: no record was written.")
    assert row["finished_at"] >= row["started_at"]
    assert env.registry_dump() == before


@dataclass
class DropsSignalAt(Silent):
    """Sends a signal that Python drops when the run begins a phase or has read a page."""

    stop: str

    def phase(self, name: str) -> None:
        if name == self.stop:
            send_dropped_signal(signal.SIGTERM)

    def advance(self, entity: str, records: int, total: int | None) -> None:  # noqa: ARG002 the signature of Progress
        if entity == self.stop:
            send_dropped_signal(signal.SIGTERM)


@pytest.mark.parametrize("stop", ["finding the API", "ml_repos", "models", "model_versions", "comparing", "writing"])
def test_a_run_is_interrupted_even_if_python_dropped_the_exception(
    env: SyncEnv, stop: str, dropped_exceptions: list[type[BaseException]]
) -> None:
    with Interrupts() as interrupts, pytest.raises(Interrupted):
        run(env.settings(), interrupts=interrupts, progress=DropsSignalAt(stop))

    assert dropped_exceptions == [KeyboardInterrupt]
    assert env.row(SyncRun)["status"] == "interrupted"
    assert not any(env.registry_dump().values())


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_run_whose_database_fails_after_a_signal_is_interrupted(
    env: SyncEnv, dropped_exceptions: list[type[BaseException]], *, dry_run: bool
) -> None:
    class Sabotage(Silent):
        def phase(self, name: str) -> None:
            if name == "comparing":
                env.execute("ALTER TABLE models RENAME TO hidden")
                send_dropped_signal(signal.SIGTERM)

    with Interrupts() as interrupts, pytest.raises(Interrupted) as interruption:
        run(env.settings(dry_run=dry_run), interrupts=interrupts, progress=Sabotage())

    assert isinstance(interruption.value.__cause__, StoreError)
    assert dropped_exceptions == [KeyboardInterrupt]
    assert [row["status"] for row in env.rows(SyncRun)] == ([] if dry_run else ["interrupted"])


def test_a_run_whose_end_cannot_be_recorded_still_raises_its_error(
    env: SyncEnv, caplog: pytest.LogCaptureFixture
) -> None:
    class Sabotage(Silent):
        def phase(self, name: str) -> None:
            if name == "comparing":
                env.execute("ALTER TABLE sync_runs RENAME TO hidden")
                env.execute("ALTER TABLE models RENAME TO hidden_too")

    with pytest.raises(StoreError, match="models"):
        run(env.settings(), interrupts=Interrupts(), progress=Sabotage())

    assert "the run's end could not be recorded" in caplog.text
