"""SQLite on a disk that is full or cannot be written, and beside other programs that hold the file."""

import random
import shutil
import sqlite3
import subprocess
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
from tests.support.sync_env import SyncEnv, sync_env

ROUNDS = repetitions(2, at_full_scale=60)


@pytest.fixture
def disk() -> Iterator[Disk]:
    with small_disk(12 + 2 * ROUNDS) as disk:  # each round leaves its history behind
        yield disk


@pytest.fixture
def env(disk: Disk, migrated_file: Path) -> Iterator[SyncEnv]:
    file = shutil.copy(migrated_file, disk.folder / "registry.db")
    with sync_env(f"sqlite:///{file}", Registry.generate(seed=7, models=50, versions=3, metrics=4)) as env:
        env.sync(page_size=100)
        yield env


@pytest.fixture
def here(migrated_file: Path, tmp_path: Path) -> Iterator[SyncEnv]:
    """A small one, on the usual disk."""
    with sync_env(f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'registry.db')}") as env:
        env.sync()
        env.registry.add_version(env.registry.ids("models")[0])
        yield env


def fill_disk(disk: Disk, room: int, _process: subprocess.Popen[str]) -> None:
    disk.fill(room)


def lines(said: str) -> list[str]:
    return [line for line in said.splitlines() if not LOGGED.match(line)]


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_run_whose_disk_is_full_writes_nothing_and_says_so(env: SyncEnv, disk: Disk) -> None:
    draw = random.Random()  # noqa: S311 no secret
    ends = Counter[str]()
    for number in range(ROUNDS):
        change_everything(env.registry, draw.randbytes(2_000).hex())
        before = env.registry_dump()
        room = (draw.randrange(60_000), draw.randrange(1_000_000))[number % 2]
        fill = partial(fill_disk, disk, room)
        death = interrupt_in_phase(env, "models …", 0, fill, "--page-size", "100")
        disk.make_room()
        written = is_written(env, before)
        if written:
            assert death.code == 0
        else:
            assert death.code == 1
            assert (
                death.message == "Error: The disk is full: make room, then run again; nothing of this run was written."
            )
        assert env.sync(page_size=100).complete
        assert env.held() == env.served()
        ends["once committed" if written else death.part.strip(" …")] += 1
    assert ends["writing"]
    report("disks filled", "sqlite", rounds=ends.total(), by_part=ends)


def test_a_disk_that_is_full_from_the_start_is_told(env: SyncEnv, disk: Disk) -> None:
    disk.fill()
    (said,) = lines(env.command(exit_code=1))
    disk.make_room()

    assert said.startswith("Error: The disk is full")
    assert said.endswith("nothing of this run was written.")
    assert env.sync(page_size=100).complete


def test_a_file_that_cannot_be_written_is_told_and_can_be_looked_at(env: SyncEnv, disk: Disk) -> None:
    disk.forbid_writing_to(disk.folder / "registry.db")

    (said,) = lines(env.command(exit_code=2))
    assert said.startswith("Error: The database file or its folder cannot be written")
    assert "succeeded" in env.command(command="status")


def test_a_folder_that_cannot_be_written_is_told_and_its_file_can_be_looked_at(env: SyncEnv, disk: Disk) -> None:
    disk.forbid_writing()

    (said,) = lines(env.command(exit_code=2))
    assert said.startswith(f"Error: Cannot write beside {disk.folder / 'registry.db'}")
    assert "succeeded" in env.command(command="status")
    assert env.sync(dry_run=True, page_size=100).tallies[Entity.MODELS].unchanged == 50
    assert len(env.rows(Model)) == 50


def test_a_file_that_a_dead_run_left_unfinished_is_not_taken_for_whole(env: SyncEnv, disk: Disk) -> None:
    (disk.folder / "registry.db-wal").write_bytes(b"of a run that died")
    disk.forbid_writing()

    (said,) = lines(env.command(exit_code=2, command="status"))
    assert said.startswith("Error: The database file or its folder cannot be written")


def test_a_long_read_holds_up_no_run_and_sees_none(here: SyncEnv) -> None:
    log = Path(f"{here.url.removeprefix('sqlite:///')}-wal")
    with closing(sqlite3.connect(here.url.removeprefix("sqlite:///"), isolation_level=None)) as analyst:
        analyst.execute("BEGIN")
        query = "SELECT count(*) FROM model_versions"
        before = analyst.execute(query).fetchall()
        here.command()
        sizes = [log.stat().st_size]
        for number in range(repetitions(3, at_full_scale=200)):
            change_everything(here.registry, f"word {number}")
            assert here.sync().complete
            sizes.append(log.stat().st_size)
        assert analyst.execute(query).fetchall() == before == [(36,)]
        analyst.execute("COMMIT")
        assert analyst.execute(query).fetchall() == [(len(here.registry.ids("model-versions")),)]

    assert sizes == sorted(set(sizes))  # the log cannot start anew while the reader needs its first pages
    here.sync()
    assert not log.exists()
    report("runs beside a long reader", "sqlite", runs=len(sizes), bytes_of_the_log=sizes[-1])

    assert here.held() == here.served()


def test_a_long_write_is_waited_for(here: SyncEnv) -> None:
    written = []
    with closing(
        sqlite3.connect(here.url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    ) as analyst:

        def end() -> None:
            written.append(here.rows(SyncRun, SyncRun.status == "running"))
            analyst.execute("COMMIT")

        def begin(_process: object) -> None:
            analyst.execute("BEGIN IMMEDIATE")
            threading.Timer(1.5, end).start()

        death = interrupt_in_phase(here, COMPARING, 0, begin)

    assert death.code == 0
    assert [len(rows) for rows in written] == [1]
    assert here.held() == here.served()


def test_a_write_that_does_not_end_is_given_up(here: SyncEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 200)
    before = here.registry_dump()
    with closing(
        sqlite3.connect(here.url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    ) as analyst:
        begun = at_request(here, "/model-versions", 1, lambda: analyst.execute("BEGIN IMMEDIATE"))
        with pytest.raises(StoreError, match="Another program holds the database locked: end its transaction") as error:
            here.sync()
        with pytest.raises(StoreError, match="locked"):
            here.sync()

    assert begun
    assert error.value.exit_code == 1
    assert here.registry_dump() == before
    assert here.sync().complete
    assert here.held() == here.served()
    assert sorted(row["status"] for row in here.rows(SyncRun)) == ["interrupted", "succeeded", "succeeded"]
