"""The server dies, or ends a connection, during a run."""

import os
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any, Literal

import psycopg
import pytest
from sqlalchemy import text

from etl.models import SyncRun
from etl.simulator import Registry
from etl.store import engine_scope
from tests.support.databases import OwnServer, libpq, migrate, new_database, own_server
from tests.support.disks import small_disk
from tests.support.faults import (
    COMPARING,
    ENDED,
    READING,
    WRITING,
    CrashOutcome,
    change_everything,
    durations,
    interrupt_in_phase,
    is_written,
    newest_run,
    wait_for_the_lock,
)
from tests.support.load_factor import LOAD_FACTOR, repetitions, report
from tests.support.sync_env import SyncEnv, sync_env

PAGES = ("--page-size", "100")
HANG_UP = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@pytest.fixture
def registry() -> Registry:
    return Registry.generate(seed=7, models=50, versions=3, metrics=4)


@pytest.fixture
def env(registry: Registry, migrated_template: str, postgres_url: str) -> Iterator[SyncEnv]:
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url, registry) as env:
        env.sync(page_size=100)
        yield env


@pytest.fixture
def server() -> Iterator[OwnServer]:
    """Its word counts: what it says is committed is in its log, and so survives it."""
    with own_server("-c", "synchronous_commit=on") as server:
        migrate(server.url)
        yield server


def endure(env: SyncEnv, part: str, after: float, blow: Callable[[], object], mend: Callable[[], object]) -> str:
    """A run that loses its database somewhere; afterwards all is as it should be. Gives where it was."""
    before = env.registry_dump()
    death = interrupt_in_phase(env, part, after, lambda _process: blow(), *PAGES)
    mend()
    wait_for_the_lock(env)
    written, dead = is_written(env, before), newest_run(env)
    told = f"{after:.3f} s after {part!r}: {death}"
    assert (dead["status"] == "succeeded") == written, told
    assert dead["status"] in {"succeeded", "failed", "running"}, told
    assert says_the_truth(death, written=written), told
    assert env.sync(page_size=100).complete, told
    assert env.held() == env.served(), told
    assert env.rows(SyncRun, SyncRun.status == "running") == [], told
    return "once committed" if written else death.part.strip(" …")


def says_the_truth(death: CrashOutcome, *, written: bool) -> bool:
    """In one line: that nothing was written, or that nobody knows; in none when it was and the run knows."""
    if death.code == 0:
        return written and death.lines[-1].endswith("[etl.sync.run]")
    in_doubt = "It is unknown whether this run was written" in death.message
    nothing = death.message.endswith("then run again; nothing of this run was written.")
    return death.code == 1 and death.message.startswith("Error: ") and (in_doubt or (nothing and not written))


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_run_whose_connection_the_server_ends_is_written_whole_or_not_at_all(env: SyncEnv) -> None:
    draw = random.Random()  # noqa: S311 no secret
    ends = Counter[str]()
    change_everything(env.registry, "first")
    lasting = durations(env, *PAGES)
    for number in range(repetitions(2, at_full_scale=60)):
        change_everything(env.registry, f"word {number}")
        part = (WRITING, draw.choice([*READING, COMPARING, ENDED]))[number % 2]
        with closing(psycopg.connect(libpq(env.url), autocommit=True)) as connection:
            ends[endure(env, part, draw.uniform(0, lasting[part]), partial(connection.execute, HANG_UP), list)] += 1
    report("connections ended by the server", "postgresql", rounds=ends.total(), by_part=ends)


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_run_whose_server_is_stopped_is_written_whole_or_not_at_all(registry: Registry, server: OwnServer) -> None:
    draw = random.Random()  # noqa: S311 no secret
    ends = Counter[str]()
    with sync_env(server.url, registry) as env:
        env.sync(page_size=100)
        change_everything(registry, "first")
        lasting = durations(env, *PAGES)
        for number in range(repetitions(2, at_full_scale=160)):
            change_everything(registry, f"word {number}")
            part = draw.choice([*READING, COMPARING, ENDED]) if number % 4 == 1 else WRITING
            how: Literal["INT", "QUIT"] = draw.choice(["INT", "QUIT"])
            where = endure(env, part, draw.uniform(0, lasting[part]), partial(server.stop, how), server.start)
            ends[f"{'fast' if how == 'INT' else 'immediate'}, {where}"] += 1
    report("servers stopped", "postgresql", rounds=ends.total(), by_part=ends)


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_run_whose_server_has_no_room_left_writes_nothing(registry: Registry) -> None:
    draw, rounds = random.Random(), repetitions(1, at_full_scale=30)  # noqa: S311 no secret
    ends = Counter[str]()
    with (
        small_disk(192 + 64 * rounds) as disk,
        own_server("-c", "synchronous_commit=on", parent=disk.folder) as server,
    ):
        migrate(server.url)
        with sync_env(server.url, registry) as env:
            env.sync(page_size=100)
            for number in range(rounds):
                change_everything(registry, draw.randbytes(10_000).hex())
                # The least first: it is never enough.
                room = draw.choice([1_000_000, draw.randrange(32_000_000)]) if number else 0

                def make_room() -> None:
                    disk.make_room()
                    server.stop("QUIT")  # if it did not fall by itself
                    server.start()

                ends[endure(env, READING[1], 0, partial(disk.fill, room), make_room)] += 1
    assert ends.keys() - {"once committed"}
    report("server's disks filled", "postgresql", rounds=ends.total(), by_part=ends)


def test_a_host_that_goes_without_a_word_is_missed_at_either_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        own_server("-c", "listen_addresses=127.0.0.1", port=port),
        engine_scope(f"postgresql://postgres@127.0.0.1:{port}/postgres") as engine,
        engine.connect() as connection,
    ):
        driver: Any = connection.connection.driver_connection
        with socket.socket(fileno=os.dup(driver.fileno())) as ours:
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert connection.scalar(text("SHOW tcp_keepalives_idle")) == "30"
