"""Death at any moment: the tables are as before or after, the lock is free, and the next run is complete."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from pathlib import Path

import pytest

from etl.models import SyncRun
from etl.simulator import Registry
from tests.support.faults import (
    COMPARING,
    ENDED,
    READING,
    WRITING,
    change_everything,
    durations,
    interrupt_in_phase,
    is_written,
    newest_run,
    read_phases,
    wait_for_the_lock,
)
from tests.support.load_factor import LOAD_FACTOR, report
from tests.support.sync_env import SyncEnv, Tables, sync_env

# Large enough for its merge to be hit, small enough to be read anew for each death.
PAGES = ("--page-size", "100")


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    with sync_env(migrated_url, Registry.generate(seed=7, models=50, versions=3, metrics=4)) as env:
        env.sync(page_size=100)
        yield env


def send(number: signal.Signals, process: subprocess.Popen[str]) -> None:
    process.send_signal(number)


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_run_that_is_killed_anywhere_is_written_whole_or_not_at_all(env: SyncEnv, dialect: str) -> None:
    draw = random.Random()  # noqa: S311 no secret
    kills, waits = Counter[str](), [0.0]
    change_everything(env.registry, "first")
    lasting = durations(env, *PAGES)
    for number in range(4 * LOAD_FACTOR):
        change_everything(env.registry, f"word {number}")
        before = env.registry_dump()
        part = (draw.choice([*READING, COMPARING]), WRITING, WRITING, ENDED)[number % 4]
        after, blow = draw.uniform(0, lasting[part]), draw.choice([signal.SIGKILL, signal.SIGTERM])
        death = interrupt_in_phase(env, part, after, partial(send, blow), *PAGES)
        waits.append(wait_for_the_lock(env))
        told = f"{blow.name} {after:.3f} s after {part!r}: {death}"
        dead, written = newest_run(env), is_written(env, before)

        if written:
            assert (death.code in {0, -blow}, dead["status"]) == (True, "succeeded"), told
        elif blow == signal.SIGTERM:
            assert (death.code, death.message) == (130, "Error: Interrupted: nothing was written."), told
            assert (dead["status"], dead["error"]) == ("interrupted", "Interrupted: nothing was written."), told
        else:
            assert (death.code, dead["status"], dead["finished_at"]) == (-signal.SIGKILL, "running", None), told

        assert env.sync(page_size=100).complete, told
        assert env.held() == env.served(), told
        left = env.row(SyncRun, SyncRun.id == dead["id"])
        assert left["status"] == ("succeeded" if written else "interrupted"), told
        kills[f"{blow.name} {'once committed' if written else death.part.strip(' …')}"] += 1
    report("kills", dialect=dialect, kills=kills.total(), by_part=kills, longest_wait_for_the_lock=round(max(waits), 2))


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_whatever_a_power_loss_leaves_of_a_file_is_sound_and_as_before_or_after(
    migrated_file: Path, tmp_path: Path
) -> None:
    draw = random.Random()  # noqa: S311 no secret
    found = Counter[str]()
    file = Path(shutil.copy(migrated_file, tmp_path / "registry.db"))
    registry = Registry.generate(seed=7, models=50, versions=3, metrics=4)
    with sync_env(f"sqlite:///{file}", registry) as env:
        env.sync(page_size=100)
        for number in range(LOAD_FACTOR):
            change_everything(registry, f"word {number}")
            before, unchanged = env.registry_dump(), file.read_bytes()
            folders = [tmp_path / f"{number}-{copy}" for copy in range(10)]
            process = env.start(*PAGES)
            read_phases(process, partial(leave, process, file, iter(folders), draw))
            assert process.returncode == 0
            after = env.registry_dump()
            assert before != after
            for folder in filter(Path.exists, folders):
                torn = tear(folder / "registry.db", unchanged, draw)
                tables = looked_at(env, folder / "registry.db")
                assert tables in (before, after)
                found[f"{'as before' if tables == before else 'as after'}{torn}"] += 1
                shutil.rmtree(folder)
            assert env.held() == env.served()
    assert {each.split(",")[0] for each in found} == {"as before", "as after"}
    report("power losses", dialect="sqlite", copies=found.total(), found=found)


def leave(process: subprocess.Popen[str], file: Path, folders: Iterator[Path], draw: random.Random, part: str) -> None:
    """While it writes and once it has written, copy the file and its log at moments when the process stands still."""
    for folder in islice(folders, {WRITING: 6, ENDED: 4}.get(part, 0)):
        time.sleep(draw.uniform(0, 0.03))
        process.send_signal(signal.SIGSTOP)
        while (state := state_of(process.pid)) not in "TZ":
            time.sleep(0.001)
        if state == "Z":
            return
        folder.mkdir()
        for end in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copy(f"{file}{end}", folder / f"registry.db{end}")
        process.send_signal(signal.SIGCONT)


def state_of(pid: int) -> str:
    """T for one that stands still, Z for one that has ended, whether somebody waited for it or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return "Z"


def tear(file: Path, unchanged: bytes, draw: random.Random) -> str:
    """Before the log goes into the file nobody waits for it to be on the disk: its end may be missing, or rubbish."""
    log = Path(f"{file}-wal")
    if not log.exists() or file.read_bytes() != unchanged or draw.random() < 0.5:
        return ""
    kept = draw.randrange(log.stat().st_size + 1)
    with log.open("r+b") as end:
        end.truncate(kept)
        end.seek(0, os.SEEK_END)
        end.write(draw.randbytes(draw.randrange(8192)))
    return ", its log torn"


def looked_at(env: SyncEnv, file: Path) -> Tables:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    return SyncEnv(env.plane, f"sqlite:///{file}").registry_dump()
