"""PostgreSQL stops, ends a connection or has no disk space left during a run."""

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

PAGE_OPTIONS = ("--page-size", "100")
TERMINATE_CONNECTIONS = """
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
    """A server that syncs its log at each commit, so that the commit survives a crash."""
    with own_server("-c", "synchronous_commit=on") as server:
        migrate(server.url)
        yield server


def inject_fault(
    env: SyncEnv, phase: str, delay: float, fault: Callable[[], object], repair: Callable[[], object]
) -> str:
    """Break the database during a run, repair it, and check the run and the next run.

    Return the phase that the run had reached.
    """
    before = env.registry_dump()
    outcome = interrupt_in_phase(env, phase, delay, lambda _process: fault(), *PAGE_OPTIONS)
    repair()
    wait_for_the_lock(env)
    written, row = is_written(env, before), newest_run(env)
    context = f"{delay:.3f} s after {phase!r}: {outcome}"
    assert (row["status"] == "succeeded") == written, context
    assert row["status"] in {"succeeded", "failed", "running"}, context
    assert is_reported_correctly(outcome, written=written), context
    assert env.sync(page_size=100).complete, context
    assert env.held() == env.served(), context
    assert env.rows(SyncRun, SyncRun.status == "running") == [], context
    return "once committed" if written else outcome.part.strip(" …")


def is_reported_correctly(outcome: CrashOutcome, *, written: bool) -> bool:
    """Whether the output agrees with the tables.

    A run that succeeded was written, and ends with a log line. A run that failed prints one error: that nothing was
    written, or that the commit is in doubt.
    """
    if outcome.code == 0:
        return written and outcome.lines[-1].endswith("[etl.sync.run]")
    in_doubt = "It is unknown whether this run was written" in outcome.message
    nothing_written = outcome.message.endswith("then run again; nothing of this run was written.")
    return (
        outcome.code == 1 and outcome.message.startswith("Error: ") and (in_doubt or (nothing_written and not written))
    )


def no_repair() -> None:
    """Do nothing: the server still accepts connections."""


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_run_that_loses_its_connection_is_written_whole_or_not_at_all(env: SyncEnv) -> None:
    rng = random.Random()  # noqa: S311 no secret
    counts_by_phase = Counter[str]()
    change_everything(env.registry, "first")
    durations_by_phase = durations(env, *PAGE_OPTIONS)
    for number in range(repetitions(2, at_full_scale=60)):
        change_everything(env.registry, f"word {number}")
        phase = (WRITING, rng.choice([*READING, COMPARING, ENDED]))[number % 2]
        with closing(psycopg.connect(libpq(env.url), autocommit=True)) as connection:
            delay = rng.uniform(0, durations_by_phase[phase])
            terminate = partial(connection.execute, TERMINATE_CONNECTIONS)
            counts_by_phase[inject_fault(env, phase, delay, terminate, no_repair)] += 1
    report("connections ended by the server", "postgresql", rounds=counts_by_phase.total(), by_part=counts_by_phase)


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_run_whose_server_stops_is_written_whole_or_not_at_all(registry: Registry, server: OwnServer) -> None:
    rng = random.Random()  # noqa: S311 no secret
    counts_by_phase = Counter[str]()
    with sync_env(server.url, registry) as env:
        env.sync(page_size=100)
        change_everything(registry, "first")
        durations_by_phase = durations(env, *PAGE_OPTIONS)
        for number in range(repetitions(2, at_full_scale=160)):
            change_everything(registry, f"word {number}")
            phase = rng.choice([*READING, COMPARING, ENDED]) if number % 4 == 1 else WRITING
            stop_signal: Literal["INT", "QUIT"] = rng.choice(["INT", "QUIT"])
            delay = rng.uniform(0, durations_by_phase[phase])
            last_phase = inject_fault(env, phase, delay, partial(server.stop, stop_signal), server.start)
            counts_by_phase[f"{'fast' if stop_signal == 'INT' else 'immediate'}, {last_phase}"] += 1
    report("servers stopped", "postgresql", rounds=counts_by_phase.total(), by_part=counts_by_phase)


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_a_run_whose_server_has_a_full_disk_is_written_whole_or_not_at_all(registry: Registry) -> None:
    rng, rounds = random.Random(), repetitions(1, at_full_scale=30)  # noqa: S311 no secret
    counts_by_phase = Counter[str]()
    with (
        small_disk(192 + 64 * rounds) as disk,
        own_server("-c", "synchronous_commit=on", parent=disk.folder) as server,
    ):
        migrate(server.url)
        with sync_env(server.url, registry) as env:
            env.sync(page_size=100)
            for number in range(rounds):
                change_everything(registry, rng.randbytes(10_000).hex())
                # No free space in the first round, so that at least one run fails.
                free_bytes = rng.choice([1_000_000, rng.randrange(32_000_000)]) if number else 0

                def free_disk_and_restart() -> None:
                    disk.make_room()
                    server.stop("QUIT")  # it may have crashed already
                    server.start()

                fill_disk = partial(disk.fill, free_bytes)
                counts_by_phase[inject_fault(env, READING[1], 0, fill_disk, free_disk_and_restart)] += 1
    assert counts_by_phase.keys() - {"once committed"}
    report("server's disks filled", "postgresql", rounds=counts_by_phase.total(), by_part=counts_by_phase)


def test_tcp_keepalive_is_enabled_on_the_client_and_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        own_server("-c", "listen_addresses=127.0.0.1", port=port),
        engine_scope(f"postgresql://postgres@127.0.0.1:{port}/postgres") as engine,
        engine.connect() as connection,
    ):
        driver: Any = connection.connection.driver_connection
        with socket.socket(fileno=os.dup(driver.fileno())) as client_socket:
            assert client_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert connection.scalar(text("SHOW tcp_keepalives_idle")) == "30"
