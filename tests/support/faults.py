"""Faults to inject into a run from outside: signals, delays, and changes to the registry."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from etl.errors import LockHeld
from etl.models import SyncRun
from etl.simulator import Registry
from etl.store import check_lock_free, open_engine
from tests.support.patience import patience
from tests.support.preloaded_command import RunningCommand
from tests.support.sync_env import Process, Row, SyncEnv, Tables


def at_request(env: SyncEnv, path: str, number: int, work: Callable[[], object]) -> list[int]:
    """Call `work` at the nth request for a path; return a list that gets the number of that request."""
    count: list[int] = []
    happened: list[int] = []

    def hook(request: int, requested_path: str, _query: dict[str, list[str]]) -> None:
        if requested_path.endswith(path):
            count.append(request)
            if len(count) == number:
                happened.append(request)
                work()

    env.plane.before_request = hook
    return happened


def interrupt_at_request(env: SyncEnv, request: int, fault: Callable[[RunningCommand], object]) -> RunningCommand:
    """Start a run, and inject a fault when it sends its nth request."""
    started = threading.Event()
    running: list[RunningCommand] = []
    requests: list[int] = []

    def hook(number: int, _path: str, _query: dict[str, list[str]]) -> None:
        requests.append(number)
        if len(requests) == request:
            started.wait(patience())
            # A thread, so that the response is sent too: some faults must occur while the run uses it.
            threading.Thread(target=fault, args=(running[0],), daemon=True).start()

    env.plane.before_request = hook
    running.append(env.start("--lock-wait", "30"))
    started.set()
    return running[0]


def kill(process: RunningCommand, *, after: float) -> None:
    time.sleep(after)
    process.kill()


PHASES = (
    "finding the API …",
    "ML repos …",
    "models …",
    "versions …",
    "comparing …",
    "writing …",
    "ended: succeeded",
    "",
)
"""What a run prints at the start of each phase; "" is the time after its end."""

LOGGED = re.compile(r"\d{4}-\d\d-\d\dT\S+ \[")
"""The start of a log line."""

STARTING = "starting"
"""The time before the first phase: the interpreter starts, modules are imported, the database is opened."""

READING = PHASES[:4]
COMPARING, WRITING, ENDED = PHASES[4:7]


@dataclass(frozen=True)
class CrashOutcome:
    """How an interrupted run ended: its exit code, the phase that it printed last, and all lines."""

    code: int
    part: str
    lines: tuple[str, ...]

    @property
    def message(self) -> str:
        """The only line that is not a log line."""
        (message,) = (line for line in self.lines if not LOGGED.match(line))
        return message


def read_phases(process: Process, on_phase: Callable[[str], object]) -> list[str]:
    """Return all lines of a run; call `on_phase` at the start of each phase."""
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        for part in PHASES[:-1]:
            if part in line:
                on_phase(part)
    process.communicate(timeout=patience())
    return lines


def durations(env: SyncEnv, *arguments: str) -> dict[str, float]:
    """Return the seconds of each phase of a run without faults."""
    moments = {STARTING: time.monotonic()}
    process = env.start(*arguments)
    read_phases(process, lambda part: moments.setdefault(part, time.monotonic()))
    assert process.returncode == 0
    moments[""] = time.monotonic()
    return {part: moments[following] - moments[part] for part, following in pairwise((STARTING, *PHASES))}


def interrupt_in_phase(
    env: SyncEnv, part: str, after: float, fault: Callable[[RunningCommand], object], *arguments: str
) -> CrashOutcome:
    """Start a run, and inject a fault this many seconds after a phase began."""
    process = env.start("--lock-wait", "30", *arguments)
    phases = [STARTING]
    if part == STARTING:
        time.sleep(after)
        fault(process)

    def on_phase(phase: str) -> None:
        phases.append(phase)
        if phase == part:
            time.sleep(after)
            fault(process)

    lines = read_phases(process, on_phase)
    return CrashOutcome(process.returncode, phases[-1], tuple(line.rstrip() for line in lines))


def change_everything(registry: Registry, word: str) -> None:
    """Change every version and some models, so that the merge writes to every table."""
    model, deleted = registry.ids("models")[:2]
    registry.set_fields(model, {"run_steps": [len(word)]})
    registry.add_version(model)
    registry.delete_model(deleted)
    registry.restore(deleted)
    for version in registry.ids("model-versions"):
        registry.set_fields(version, {"description": word, "tags": [word[:9], "kept"]}, touch=False)


def newest_run(env: SyncEnv) -> Row:
    """Return the row of the run that started last."""
    return max(env.rows(SyncRun), key=lambda row: row["started_at"])


def is_written(env: SyncEnv, before: Tables) -> bool:
    """Return whether the run was written; fails if the tables are neither as before nor complete."""
    if env.registry_dump() == before:
        return False
    assert env.held() == env.served()
    return True


def wait_for_the_lock(env: SyncEnv) -> float:
    """Wait until the server releases the lock of a dead client; return the seconds that it took."""
    began = time.monotonic()
    engine = open_engine(env.url)
    while True:
        try:
            check_lock_free(engine)
        except LockHeld:
            assert time.monotonic() < began + patience()
            time.sleep(0.02)
        else:
            engine.dispose()
            return time.monotonic() - began


@contextmanager
def paused_run(
    env: SyncEnv, *arguments: str, new_interpreter: bool = False
) -> Iterator[tuple[Process, Callable[[], None]]]:
    """Yield a run that waits for a response, and a function that lets it continue."""
    begun, gate = threading.Event(), threading.Event()

    def hook(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        if path.endswith("/ml-repos"):
            begun.set()
            gate.wait(patience())

    env.plane.before_request = hook
    process = env.start_interpreter(*arguments) if new_interpreter else env.start(*arguments)
    try:
        assert begun.wait(patience())
        yield process, gate.set
    finally:
        gate.set()
        process.kill()
        process.communicate()
