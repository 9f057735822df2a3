"""SQLite on a full or read-only disk, and while other programs use the file."""

import os
import random
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from etl.enums import Entity
from etl.errors import StoreError
from etl.models import Model, SyncRun
from etl.simulator import Registry
from etl.store.dialects import sqlite
from tests.support.disks import Disk, small_disk
from tests.support.faults import COMPARING, LOGGED, at_request, change_everything, interrupt_in_phase, is_written
from tests.support.load_factor import LOAD_FACTOR, repetitions, report
from tests.support.preloaded_command import RunningCommand
from tests.support.sync_env import SyncEnv, sync_env

ROUNDS = repetitions(2, at_full_scale=60)
SEED = int(os.environ.get("TFY_ETL_TEST_SEED", random.randrange(10**6)))  # noqa: S311 no secret


@pytest.fixture
def disk() -> Iterator[Disk]:
    with small_disk(12 + 2 * ROUNDS) as disk:  # the history grows with each round
        yield disk


@pytest.fixture
def env(disk: Disk, migrated_file: Path) -> Iterator[SyncEnv]:
    file = shutil.copy(migrated_file, disk.folder / "registry.db")
    with sync_env(f"sqlite:///{file}", Registry.generate(seed=7, models=50, versions=3, metrics=4)) as env:
        env.sync(page_size=100)
        yield env


@pytest.fixture
def small_env(migrated_file: Path, tmp_path: Path) -> Iterator[SyncEnv]:
    """A synced file on the normal disk, with a version to copy."""
    with sync_env(f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'registry.db')}") as env:
        env.sync()
        env.registry.add_version(env.registry.ids("models")[0])
        yield env


def fill_disk(disk: Disk, room: int, _process: RunningCommand) -> None:
    disk.fill(room)


def error_lines(stderr: str) -> list[str]:
    """The lines that are not log lines."""
    return [line for line in stderr.splitlines() if not LOGGED.match(line)]


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_run_whose_disk_fills_up_is_written_whole_or_fails_with_one_error(env: SyncEnv, disk: Disk) -> None:
    print(f"TFY_ETL_TEST_SEED={SEED}")  # noqa: T201 pytest shows it when the test fails
    draw = random.Random(SEED)  # noqa: S311 no secret
    outcomes = Counter[str]()
    for number in range(ROUNDS):
        change_everything(env.registry, draw.randbytes(2_000).hex())
        before = env.registry_dump()
        room = (draw.randrange(60_000), draw.randrange(1_000_000))[number % 2]
        fill = partial(fill_disk, disk, room)
        outcome = interrupt_in_phase(env, "models …", 0, fill, "--page-size", "100")
        disk.make_room()
        written = is_written(env, before)
        if written:
            assert outcome.code == 0
        else:
            assert outcome.code == 1
            assert (
                outcome.message
                == "Error: The disk is full: make room, then run again; nothing of this run was written."
            )
        assert env.sync(page_size=100).complete
        assert env.held() == env.served()
        outcomes["once committed" if written else outcome.part.strip(" …")] += 1
    assert outcomes["writing"]
    report("disks filled", "sqlite", rounds=outcomes.total(), seed=SEED, by_part=outcomes)


def test_a_disk_that_is_full_from_the_start_is_an_error(env: SyncEnv, disk: Disk) -> None:
    disk.fill()
    (error,) = error_lines(env.command(exit_code=1))
    disk.make_room()

    assert error.startswith("Error: The disk is full")
    assert error.endswith("nothing of this run was written.")
    assert env.sync(page_size=100).complete


def test_a_read_only_file_fails_a_sync_and_can_be_read(env: SyncEnv, disk: Disk) -> None:
    disk.forbid_writing_to(disk.folder / "registry.db")

    (error,) = error_lines(env.command(exit_code=2))
    assert error.startswith("Error: The database file or its folder cannot be written")
    assert "succeeded" in env.command(command="status")


def test_a_read_only_folder_fails_a_sync_and_its_file_can_be_read(env: SyncEnv, disk: Disk) -> None:
    disk.forbid_writing()

    (error,) = error_lines(env.command(exit_code=2))
    assert error.startswith(f"Error: Cannot write beside {disk.folder / 'registry.db'}")
    assert "succeeded" in env.command(command="status")
    assert env.sync(dry_run=True, page_size=100).tallies[Entity.MODELS].unchanged == 50
    assert len(env.rows(Model)) == 50


def test_a_read_only_file_with_a_wal_of_a_dead_run_is_an_error(env: SyncEnv, disk: Disk) -> None:
    (disk.folder / "registry.db-wal").write_bytes(b"of a run that died")
    disk.forbid_writing()

    (error,) = error_lines(env.command(exit_code=2, command="status"))
    assert error.startswith("Error: The database file or its folder cannot be written")


def test_a_long_read_blocks_no_run_and_sees_one_snapshot(small_env: SyncEnv) -> None:
    wal = Path(f"{small_env.url.removeprefix('sqlite:///')}-wal")
    with closing(sqlite3.connect(small_env.url.removeprefix("sqlite:///"), isolation_level=None)) as analyst:
        analyst.execute("BEGIN")
        query = "SELECT count(*) FROM model_versions"
        before = analyst.execute(query).fetchall()
        small_env.command()
        sizes = [wal.stat().st_size]
        for number in range(repetitions(3, at_full_scale=200)):
            change_everything(small_env.registry, f"word {number}")
            assert small_env.sync().complete
            sizes.append(wal.stat().st_size)
        assert analyst.execute(query).fetchall() == before == [(36,)]
        analyst.execute("COMMIT")
        assert analyst.execute(query).fetchall() == [(len(small_env.registry.ids("model-versions")),)]

    assert sizes == sorted(set(sizes))  # the WAL cannot restart while the reader needs its first pages
    small_env.sync()
    assert not wal.exists()
    report("runs beside a long reader", "sqlite", runs=len(sizes), bytes_of_the_log=sizes[-1])

    assert small_env.held() == small_env.served()


def test_a_run_waits_for_a_long_write_of_another_program(small_env: SyncEnv) -> None:
    written = []
    with closing(
        sqlite3.connect(small_env.url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    ) as analyst:

        def end() -> None:
            written.append(small_env.rows(SyncRun, SyncRun.status == "running"))
            analyst.execute("COMMIT")

        def begin(_process: object) -> None:
            analyst.execute("BEGIN IMMEDIATE")
            threading.Timer(1.5, end).start()

        outcome = interrupt_in_phase(small_env, COMPARING, 0, begin)

    assert outcome.code == 0
    assert [len(rows) for rows in written] == [1]
    assert small_env.held() == small_env.served()


def test_a_run_fails_if_another_program_keeps_the_file_locked(
    small_env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 200)
    before = small_env.registry_dump()
    with closing(
        sqlite3.connect(small_env.url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    ) as analyst:
        begun = at_request(small_env, "/model-versions", 1, lambda: analyst.execute("BEGIN IMMEDIATE"))
        with pytest.raises(StoreError, match="Another program holds the database locked: end its transaction") as error:
            small_env.sync()
        with pytest.raises(StoreError, match="locked"):
            small_env.sync()

    assert begun
    assert error.value.exit_code == 1
    assert small_env.registry_dump() == before
    assert small_env.sync().complete
    assert small_env.held() == small_env.served()
    assert sorted(row["status"] for row in small_env.rows(SyncRun)) == ["interrupted", "succeeded", "succeeded"]
