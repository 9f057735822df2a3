"""Kill runs, and simulate power losses; check the tables, the lock and the next run."""

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

PAGE_OPTIONS = ("--page-size", "100")
ALL_PHASES = (STARTING, *READING, COMPARING, WRITING, ENDED)
CHECK_INDEXES = """
    SELECT bt_index_check(c.oid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am a ON a.oid = c.relam
    WHERE a.amname = 'btree' AND c.relnamespace = 'public'::regnamespace AND i.indisvalid
"""


def send_signal(signal_number: signal.Signals, process: RunningCommand) -> None:
    process.send_signal(signal_number)


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_run_killed_in_any_phase_is_written_whole_or_not_at_all(migrated_url: str, dialect: str) -> None:
    # Large enough that signals hit the merge, small enough to sync again after each signal.
    with sync_env(migrated_url, Registry.generate(seed=7, models=10, versions=3, metrics=2)) as env:
        change_everything(env.registry, "first")
        env.sync()
        interrupt_in_all_phases(env, dialect, signal.SIGKILL, repetitions(6, at_full_scale=500))
        interrupt_in_all_phases(env, dialect, signal.SIGTERM, repetitions(2, at_full_scale=100))


def interrupt_in_all_phases(env: SyncEnv, dialect: str, signal_number: signal.Signals, rounds: int) -> None:
    """Signal runs, equally often in each phase, while a thread reads snapshots."""
    rng = random.Random()  # noqa: S311 no secret
    counts_by_phase, lock_waits = Counter[str](), []
    phases = rng.sample(ALL_PHASES, len(ALL_PHASES))
    change_everything(env.registry, signal_number.name)
    with snapshots(env.url) as reader:
        durations_by_phase = durations(env)
        for number in range(rounds):
            phase = phases[number % len(phases)]
            change_everything(env.registry, f"{signal_number.name[3:]} {number}")
            delay = rng.uniform(0, durations_by_phase[phase])
            last_phase, lock_wait = interrupt_and_check(env, phase, delay, signal_number)
            counts_by_phase[last_phase] += 1
            lock_waits.append(lock_wait)
            if is_time_to_report(number + 1, rounds):
                report(signal_number.name, dialect, signals=number + 1, by_part=counts_by_phase,
                       longest_wait_for_the_lock=round(max(lock_waits), 2), looks_of_a_reader=reader.looks,
                       states_seen=len(reader.states))  # fmt: skip
    assert reader.looks


def interrupt_and_check(env: SyncEnv, phase: str, delay: float, signal_number: signal.Signals) -> tuple[str, float]:
    """Send a signal to a new run; check its result, its row and the next run.

    Return the phase that the run had reached, and the seconds until its lock was free.
    """
    env.execute("DELETE FROM changes")  # otherwise each run makes the dumps larger
    before = env.registry_dump()
    outcome = interrupt_in_phase(env, phase, delay, partial(send_signal, signal_number))
    lock_wait = wait_for_the_lock(env)
    context = f"{signal_number.name} {delay:.3f} s after {phase!r}: {outcome}"
    assert_database_intact(env)
    row, written = newest_run(env), is_written(env, before)
    has_own_row = row["status"] != "succeeded" or written  # otherwise the row is of an earlier run
    if written:
        assert (outcome.code in {0, -signal_number}, row["status"]) == (True, "succeeded"), context
    elif signal_number is signal.SIGKILL:
        assert outcome.code == -signal.SIGKILL, context
        assert not has_own_row or (row["status"], row["finished_at"]) == ("running", None), context
    elif has_own_row:
        assert (outcome.code, outcome.message) == (130, "Error: Interrupted: no record was written."), context
        assert (row["status"], row["error"]) == ("interrupted", "Interrupted: no record was written."), context
    else:
        assert outcome.code in {130, -signal_number}, context

    assert env.sync().complete, context
    assert env.held() == env.served(), context
    row_after_next_run = env.row(SyncRun, SyncRun.id == row["id"])
    expected_status = "succeeded" if written or not has_own_row else "interrupted"
    assert row_after_next_run["status"] == expected_status, context
    return "once committed" if written else outcome.part.strip(" …"), lock_wait


def assert_database_intact(env: SyncEnv) -> None:
    """Check the SQLite file, or the PostgreSQL indexes if amcheck is available."""
    if env.url.startswith("sqlite"):
        assert_file_intact(Path(str(make_url(env.url).database)))
        return
    with psycopg.connect(libpq(env.url), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'").fetchall():
            connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
            connection.execute(CHECK_INDEXES)


def assert_file_intact(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_file_after_a_power_loss_is_intact_and_as_before_or_after_the_run(
    migrated_file: Path, tmp_path: Path
) -> None:
    rng = random.Random()  # noqa: S311 no secret
    counts_by_outcome = Counter[str]()
    file = Path(shutil.copy(migrated_file, tmp_path / "registry.db"))
    registry = Registry.generate(seed=7, models=50, versions=3, metrics=4)
    with sync_env(f"sqlite:///{file}", registry) as env:
        env.sync(page_size=100)
        for number in range(repetitions(1, at_full_scale=30)):
            change_everything(registry, f"word {number}")
            before, bytes_before = env.registry_dump(), file.read_bytes()
            folders = [tmp_path / f"{number}-{copy}" for copy in range(10)]
            process = env.start_interpreter(*PAGE_OPTIONS)  # its exit takes long enough to pause it there
            read_phases(process, partial(copy_while_paused, process, file, iter(folders), rng))
            assert process.returncode == 0
            after = env.registry_dump()
            assert before != after
            for folder in filter(Path.exists, folders):
                label_suffix = maybe_damage_log(folder / "registry.db", bytes_before, rng)
                tables = check_and_dump(env, folder / "registry.db")
                assert tables in (before, after)
                counts_by_outcome[f"{'as before' if tables == before else 'as after'}{label_suffix}"] += 1
                shutil.rmtree(folder)
            assert env.held() == env.served()
    assert {outcome.split(",")[0] for outcome in counts_by_outcome} == {"as before", "as after"}
    report("power losses", "sqlite", copies=counts_by_outcome.total(), found=counts_by_outcome)


def copy_while_paused(process: Process, file: Path, folders: Iterator[Path], rng: random.Random, phase: str) -> None:
    """Pause the process at random moments as it writes and exits, and copy its files."""
    for folder in islice(folders, {WRITING: 6, ENDED: 4}.get(phase, 0)):
        time.sleep(rng.uniform(0, 0.03))
        process.send_signal(signal.SIGSTOP)
        while (state := process_state(process.pid)) not in "TZ":
            time.sleep(0.001)
        if state == "Z":
            return
        folder.mkdir()
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copy(f"{file}{suffix}", folder / f"registry.db{suffix}")
        process.send_signal(signal.SIGCONT)


def process_state(pid: int) -> str:
    """Return the state that Linux shows: T if the process is paused, Z if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:  # its parent has already waited for it
        return "Z"


def maybe_damage_log(file: Path, bytes_before: bytes, rng: random.Random) -> str:
    """Damage the end of the log in about half of the copies; return a suffix of a label.

    SQLite syncs the log only when it begins to copy it into the file. Until then, a power loss can damage its end.
    """
    log = Path(f"{file}-wal")
    if not log.exists() or file.read_bytes() != bytes_before or rng.random() < 0.5:
        return ""
    kept_bytes = rng.randrange(log.stat().st_size + 1)
    with log.open("r+b") as stream:
        stream.truncate(kept_bytes)
        stream.seek(0, os.SEEK_END)
        stream.write(rng.randbytes(rng.randrange(8192)))
    return ", its log torn"


def check_and_dump(env: SyncEnv, file: Path) -> Tables:
    """Check a copy of the database file, and return its tables."""
    assert_file_intact(file)
    return SyncEnv(env.plane, f"sqlite:///{file}").registry_dump()
