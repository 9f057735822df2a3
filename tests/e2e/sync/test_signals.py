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
def hearing() -> Iterator[None]:
    """The tests may run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_interrupts_and_is_given_back(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        send(number)

    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_hangup_that_was_ignored_before_is_ignored_still() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with Interrupts() as interrupts:
            send(signal.SIGHUP)
        assert not interrupts.requested
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_caller_with_handlers_of_its_own_interrupts_as_a_signal_does(env: SyncEnv) -> None:
    interrupts = Interrupts()

    class Stopping(Silent):
        def phase(self, name: str) -> None:
            if name == "versions":
                interrupts.interrupt()

    with pytest.raises(Interrupted):
        run(env.settings(), interrupts=interrupts, progress=Stopping())
    interrupts.interrupt()  # the end is settled: nothing happens

    assert env.row(SyncRun)["status"] == "interrupted"
    assert env.rows(Model) == []


def test_a_signal_before_the_first_request_is_an_error_of_the_run_too(
    env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "lock", lambda *_: send(signal.SIGTERM))
    with Interrupts() as interrupts, pytest.raises(Interrupted):
        run(env.settings(), interrupts=interrupts, progress=Silent())
    assert env.plane.log == []


def test_every_signal_is_told_until_the_end_is_settled() -> None:
    with Interrupts() as interrupts:
        for number in (signal.SIGTERM, signal.SIGINT):
            with pytest.raises(KeyboardInterrupt):
                send(number)
        interrupts.ignore()
        send(signal.SIGTERM)
        send(signal.SIGINT)


def test_a_signal_during_the_commit_is_ignored_and_so_is_one_after_it() -> None:
    with Interrupts() as interrupts:
        with interrupts.ignored():
            send(signal.SIGTERM)
        send(signal.SIGINT)

    assert not interrupts.requested


def test_a_commit_that_fails_holds_signals_no_longer() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(StoreError), interrupts.ignored():
            raise StoreError
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)


@pytest.mark.parametrize("last", [True, False])
def test_after_the_last_commit_of_a_process_signals_stay_ignored(*, last: bool) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interrupts(last=last) as interrupts, interrupts.ignored():
        pass
    after = [signal.signal(number, handler) for number, handler in zip(SIGNALS, before, strict=True)]

    assert after == ([signal.SIG_IGN] * len(SIGNALS) if last else before)


def test_a_signal_within_code_made_from_text_leaves_the_exit_code_alone(tmp_path: Path) -> None:
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


def lose(number: signal.Signals) -> None:
    """A signal that comes while a weakref calls back."""

    class Referent:
        pass

    referent = Referent()
    reference = weakref.ref(referent, lambda _: send(number))
    del referent
    assert reference() is None


@pytest.fixture
def swallowed(monkeypatch: pytest.MonkeyPatch) -> list[type[BaseException]]:
    """What Python dropped."""
    kinds: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: kinds.append(dropped.exc_type))
    return kinds


def test_a_signal_that_python_swallowed_keeps_the_commit_from_being_made(swallowed: list[type[BaseException]]) -> None:
    with Interrupts() as interrupts:
        lose(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
        with pytest.raises(KeyboardInterrupt), interrupts.ignored():
            pytest.fail("the commit was made")
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGTERM)

    assert swallowed == [KeyboardInterrupt]


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
def test_a_run_interrupted_anywhere_writes_nothing_but_that(env: SyncEnv, phase: str) -> None:
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
class SwallowsAt(Silent):
    """Loses a signal when the run begins a phase, or when a page came."""

    stop: str

    def phase(self, name: str) -> None:
        if name == self.stop:
            lose(signal.SIGTERM)

    def advance(self, entity: str, records: int, total: int | None) -> None:  # noqa: ARG002 as Progress has it
        if entity == self.stop:
            lose(signal.SIGTERM)


@pytest.mark.parametrize("stop", ["finding the API", "ml_repos", "models", "model_versions", "comparing", "writing"])
def test_a_run_ends_though_python_swallowed_the_signal(
    env: SyncEnv, stop: str, swallowed: list[type[BaseException]]
) -> None:
    with Interrupts() as interrupts, pytest.raises(Interrupted):
        run(env.settings(), interrupts=interrupts, progress=SwallowsAt(stop))

    assert swallowed == [KeyboardInterrupt]
    assert env.row(SyncRun)["status"] == "interrupted"
    assert not any(env.registry_dump().values())


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_database_that_fails_after_a_signal_was_interrupted(
    env: SyncEnv, swallowed: list[type[BaseException]], *, dry_run: bool
) -> None:
    class Sabotage(Silent):
        def phase(self, name: str) -> None:
            if name == "comparing":
                env.execute("ALTER TABLE models RENAME TO hidden")
                lose(signal.SIGTERM)

    with Interrupts() as interrupts, pytest.raises(Interrupted) as interruption:
        run(env.settings(dry_run=dry_run), interrupts=interrupts, progress=Sabotage())

    assert isinstance(interruption.value.__cause__, StoreError)
    assert swallowed == [KeyboardInterrupt]
    assert [row["status"] for row in env.rows(SyncRun)] == ([] if dry_run else ["interrupted"])


def test_a_run_whose_end_cannot_be_recorded_still_tells_its_error(
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
