"""Death at any moment: the tables are as before or after, the lock is free, and the next run is complete."""

import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import islice
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from etl.models import SyncRun
from etl.simulator import Registry
from tests.support.databases import libpq
from tests.support.faults import (
    COMPARING,
    ENDED,
    READING,
    STARTING,
    WRITING,
    change_everything,
    durations,
    interrupt_in_phase,
    is_written,
    newest_run,
    read_phases,
    wait_for_the_lock,
)
from tests.support.load_factor import LOAD_FACTOR, is_time_to_report, repetitions, report
from tests.support.preloaded_command import RunningCommand
from tests.support.snapshot_reader import snapshots
from tests.support.sync_env import Process, SyncEnv, Tables, sync_env

# Large enough for its merge to be hit, small enough to be read anew for each death.
PAGES = ("--page-size", "100")

EVERYWHERE = (STARTING, *READING, COMPARING, WRITING, ENDED)
CHECK_INDEXES = """
    SELECT bt_index_check(c.oid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am a ON a.oid = c.relam
    WHERE a.amname = 'btree' AND c.relnamespace = 'public'::regnamespace AND i.indisvalid
"""


def send(number: signal.Signals, process: RunningCommand) -> None:
    process.send_signal(number)


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_fresh_run_that_is_killed_anywhere_is_written_whole_or_not_at_all(migrated_url: str, dialect: str) -> None:
    with sync_env(migrated_url, Registry.generate(seed=7, models=10, versions=3, metrics=2)) as env:
        change_everything(env.registry, "first")
        env.sync()
        interrupt_everywhere(env, dialect, signal.SIGKILL, repetitions(6, at_full_scale=500))
        interrupt_everywhere(env, dialect, signal.SIGTERM, repetitions(2, at_full_scale=100))


def interrupt_everywhere(env: SyncEnv, dialect: str, blow: signal.Signals, rounds: int) -> None:
    """Send a signal to one process after another, equally often in each phase, beside a reader of snapshots."""
    draw = random.Random()  # noqa: S311 no secret
    found, waits = Counter[str](), []
    phases = draw.sample(EVERYWHERE, len(EVERYWHERE))
    change_everything(env.registry, blow.name)
    with snapshots(env.url) as reader:
        lasting = durations(env)
        for number in range(rounds):
            phase = phases[number % len(phases)]
            change_everything(env.registry, f"{blow.name[3:]} {number}")
            where, wait = interrupt(env, phase, draw.uniform(0, lasting[phase]), blow)
            found[where] += 1
            waits.append(wait)
            if is_time_to_report(number + 1, rounds):
                report(blow.name, dialect, signals=number + 1, by_part=found,
                       longest_wait_for_the_lock=round(max(waits), 2), looks_of_a_reader=reader.looks,
                       states_seen=len(reader.states))  # fmt: skip
    assert reader.looks


def interrupt(env: SyncEnv, phase: str, after: float, blow: signal.Signals) -> tuple[str, float]:
    """Send a signal to a fresh process, and check what it leaves and the run after it.

    Return the phase that it was in, and the seconds until the lock was free.
    """
    env.execute("DELETE FROM changes")  # or the dumps grow with each run
    before = env.registry_dump()
    death = interrupt_in_phase(env, phase, after, partial(send, blow))
    wait = wait_for_the_lock(env)
    told = f"{blow.name} {after:.3f} s after {phase!r}: {death}"
    assert_sound(env)
    dead, written = newest_run(env), is_written(env, before)
    begun = dead["status"] != "succeeded" or written
    if written:
        assert (death.code in {0, -blow}, dead["status"]) == (True, "succeeded"), told
    elif blow is signal.SIGKILL:
        assert death.code == -signal.SIGKILL, told
        assert not begun or (dead["status"], dead["finished_at"]) == ("running", None), told
    elif begun:
        assert (death.code, death.message) == (130, "Error: Interrupted: no record was written."), told
        assert (dead["status"], dead["error"]) == ("interrupted", "Interrupted: no record was written."), told
    else:
        assert death.code in {130, -blow}, told

    assert env.sync().complete, told
    assert env.held() == env.served(), told
    left = env.row(SyncRun, SyncRun.id == dead["id"])
    assert left["status"] == ("succeeded" if written or not begun else "interrupted"), told
    return "once committed" if written else death.part.strip(" …"), wait


def assert_sound(env: SyncEnv) -> None:
    """Check the file, or the indexes of the server where it has the extension for it."""
    if env.url.startswith("sqlite"):
        assert_sound_file(Path(str(make_url(env.url).database)))
        return
    with psycopg.connect(libpq(env.url), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'").fetchall():
            connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
            connection.execute(CHECK_INDEXES)


def assert_sound_file(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


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
        for number in range(repetitions(1, at_full_scale=30)):
            change_everything(registry, f"word {number}")
            before, unchanged = env.registry_dump(), file.read_bytes()
            folders = [tmp_path / f"{number}-{copy}" for copy in range(10)]
            process = env.start_interpreter(*PAGES)  # whose end takes long enough to be stopped in it
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
    report("power losses", "sqlite", copies=found.total(), found=found)


def leave(process: Process, file: Path, folders: Iterator[Path], draw: random.Random, part: str) -> None:
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
    assert_sound_file(file)
    return SyncEnv(env.plane, f"sqlite:///{file}").registry_dump()
