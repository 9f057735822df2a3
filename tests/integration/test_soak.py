"""Many runs in a row over a registry that lives and a control plane that fails: nothing is lost, nothing piles up.

A round is some changes, a run with or without a fault, and then one that compares everything.
"""

import gc
import os
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psycopg
import pytest
from sqlalchemy import make_url, text

from etl.errors import EtlError
from etl.simulator import Registry, fault
from tests.support.databases import libpq, migrate, new_database
from tests.support.load_factor import LOAD_FACTOR, is_time_to_report, repetitions, report
from tests.support.patience import patience
from tests.support.sync_env import SyncEnv, sync_env

ROUNDS = repetitions(10, at_full_scale=500)
SEED = int(os.environ.get("TFY_ETL_TEST_SEED", random.randrange(10**6)))  # noqa: S311 no secret

PASSING = (
    "rate_limit,times=2", "flaky_500:503,every=4,times=1", "reset,every=3,times=1", "truncated_body,every=3,times=1",
    "bad_json,every=4,times=1", "html_page,every=4,times=1", "slow:0.01", "no_total",
    "forbid_unfiltered:model-versions",
)  # fmt: skip
LASTING = (
    "flaky_500:502,endpoint=ml-repos",
    "reset,endpoint=models",
    "expired_token_after:0",
    "redirect,every=3",
)

ENDINGS: dict[str, set[int]] = {
    "": {0},
    **{wrong: {0} for wrong in PASSING},
    **{wrong: {1, 2} for wrong in LASTING},
    "wrong_total,every=3": {0, 3},
    "moving,every=3": {0, 3},
    "a record without an id": {3},
}
"""What goes wrong in a run, and the exit codes that it may end with."""

SLACK = 16 * 2**20
"""Bytes that memory may differ by: what Python's allocator takes and gives back."""


class Used(NamedTuple):
    """What the process, and the server on its behalf, hold on to between two runs."""

    files: int
    threads: int
    connections: int
    temporary: int

    @classmethod
    def by(cls, env: SyncEnv) -> "Used":
        return cls(len(os.listdir("/proc/self/fd")), threading.active_count(), *_of_server(env))  # noqa: PTH208


def _of_server(env: SyncEnv) -> tuple[int, int]:
    """Connections to the database but the one that asks, and temporary tables that outlived theirs."""
    if env.url.startswith("sqlite"):
        return 0, 0
    others = "datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    return (
        number(env, f"SELECT count(*) FROM pg_stat_activity WHERE {others}"),  # noqa: S608 a constant
        number(env, "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"),
    )


def number(env: SyncEnv, query: str) -> int:
    with env.connection() as connection:
        return int(connection.scalar(text(query)))


def memory() -> int:
    """Bytes that this process holds in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Life:
    """A registry in the hands of one who does with it whatever can be done."""

    registry: Registry
    draw: random.Random
    gone: list[str] = field(default_factory=list)

    def change(self) -> None:
        """Do one thing; `updated_at` tells of it or does not."""
        entity, deeds = self.draw.choice(self._deeds(touch=self.draw.random() < 0.7))
        ids = self.gone if entity == "gone" else self.registry.ids(entity)
        if ids:
            self.draw.choice(deeds)(self.draw.choice(ids))
        self.registry.order = self.draw.choice(["created", "created_desc", "name", "recent"])

    def _deeds(self, *, touch: bool) -> list[tuple[str, list[Callable[[str], object]]]]:
        registry, draw = self.registry, self.draw
        return [
            ("ml-repos", [
                registry.add_model,
                registry.add_model,
                lambda it: registry.set_fields(it, {"num_runs": draw.randrange(99)}, touch=False),
                lambda _: registry.add_ml_repo() if len(registry.ids("ml-repos")) < 5 else None,
                lambda it: self._leave(it, registry.delete_ml_repo) if len(registry.ids("ml-repos")) > 2 else None,
            ]),
            ("models", [
                lambda it: registry.add_version(it, metrics=draw.choice([0, 3, 30]), touch=touch),
                lambda it: registry.add_version(it, touch=touch),
                lambda it: registry.set_fields(it, {"name": f"name {draw.random()}", "new": [1, None]}, touch=touch),
                lambda it: self._leave(it, registry.delete_model),
            ]),
            ("model-versions", [
                lambda it: registry.set_tags(it, draw.choice([None, [], ["prod"], ["a", "b"]]), touch=touch),
                lambda it: registry.set_alias(it, draw.choice([None, "best"]), touch=touch),
                lambda it: registry.set_description(it, f"{draw.random()}", touch=touch),
                lambda it: registry.set_framework(it, draw.choice([None, {"type": "onnx"}]), touch=touch),
                lambda it: registry.add_metric(it, "loss", draw.choice([None, 0.5, float("nan")]), touch=touch),
                registry.touch,
                lambda it: self._leave(it, partial(registry.delete_version, touch=touch)),
            ]),
            ("gone", [self._return]),
        ]  # fmt: skip

    def _leave(self, record: str, delete: Callable[[str], object]) -> None:
        delete(record)
        self.gone.append(record)

    def _return(self, record: str) -> None:
        self.gone.remove(record)
        self.registry.restore(record)
        listed = self.registry.ids("ml-repos")
        for model in self.registry.records("models"):
            if model["ml_repo_id"] not in listed:  # no control plane has a model outside its ML repos
                self._leave(model["id"], self.registry.delete_model)


@dataclass
class Soak:
    """One database through all rounds, and what was seen of it."""

    env: SyncEnv
    life: Life
    draw: random.Random
    base: Used | None = None
    pending: bool = False
    """Whether the registry has changed since everything was compared."""
    memory: list[int] = field(default_factory=list)
    endings: Counter[tuple[str, int]] = field(default_factory=Counter)

    def round(self, count: int) -> None:
        """Changes, a run in which something may go wrong, and a run that compares everything."""
        env = self.env
        for _ in range(changes := self.draw.choice([0, 1, 3, 6])):
            self.life.change()
        wrong = self.draw.choice(["", "", *ENDINGS])
        # Which of these leave something to be stored is known only once everything is compared.
        self.pending |= changes > 0 or wrong.startswith(("moving", "a record"))
        before = env.registry_dump()
        code = self._run(wrong, as_command=count % 10 == 9)
        self.endings[wrong, code] += 1
        assert code in ENDINGS[wrong], wrong
        if code in {1, 2} or not self.pending:
            assert env.registry_dump() == before
        if code in {0, 3}:
            assert env.sync(full=True, allow_mass_delete=True).exit_code == 0
            assert env.held() == env.served()
            self.pending = False
        self._look()

    def report(self, dialect: str, **more: int) -> None:
        """Report the rounds so far."""
        endings = {f"{wrong or 'calm'}: {code}": times for (wrong, code), times in sorted(self.endings.items())}
        report("soak", dialect, rounds=len(self.memory), seed=SEED, endings=endings,
               changes=number(self.env, "SELECT count(*) FROM changes"), held=self.base and self.base._asdict(),
               memory=self.memory[:: len(self.memory) // 10], bytes=size(self.env), **more)  # fmt: skip

    def _run(self, wrong: str, *, as_command: bool) -> int:
        """The exit code of a run in which this goes wrong."""
        env = self.env
        odd = wrong == "a record without an id"
        if odd:
            env.registry.put_raw("models", "odd", {"name": "without an id"})
        env.plane.faults = [fault(wrong)] if wrong and not odd else []
        retries = 2 if wrong in PASSING else 0
        try:
            if as_command:
                process = env.start("--allow-mass-delete", "--max-retries", str(retries))
                process.communicate(timeout=patience())
                return process.returncode
            return env.sync(allow_mass_delete=True, max_retries=retries).exit_code
        except EtlError as error:
            return error.exit_code
        finally:
            env.plane.faults = []
            if odd:
                env.registry.delete_model("odd")

    def _look(self) -> None:
        """See that nothing is held on to; the far ends of closed connections may take a moment to go."""
        self.env.plane.log.clear()
        self.env.plane.headers_seen.clear()
        self.base = self.base or Used.by(self.env)
        for _ in range(100):
            now = Used.by(self.env)
            if all(one <= other for one, other in zip(now, self.base, strict=True)):
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"{now} where it was {self.base}")
        self.memory.append(memory())


@pytest.fixture
def fresh_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Another database at the newest revision."""
    if dialect == "sqlite":
        url = f"sqlite:///{tmp_path / 'fresh.db'}"
        migrate(url)
        yield url
        return
    template = request.getfixturevalue("migrated_template")
    with new_database(request.getfixturevalue("postgres_url"), template=template) as url:
        yield url


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_after_many_runs_the_tables_equal_the_source_and_nothing_has_piled_up(
    dialect: str, migrated_url: str, fresh_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"TFY_ETL_TEST_SEED={SEED}")  # noqa: T201 pytest shows it when the test fails
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    draw = random.Random(SEED)  # noqa: S311 no secret
    with sync_env(migrated_url) as env:
        env.sync()
        soak = Soak(env, Life(env.registry, draw), draw)
        for count in range(ROUNDS):
            soak.round(count)
            if is_time_to_report(count + 1, ROUNDS):
                soak.report(dialect)
        assert env.sync(full=True, allow_mass_delete=True).exit_code == 0
        fresh = SyncEnv(env.plane, fresh_url)
        fresh.sync()
        assert env.held() == env.served() == fresh.held()
    soak.report(dialect, bytes_of_fresh_load=size(fresh))

    assert list(temporary.iterdir()) == []
    assert {path.suffix for path in tmp_path.iterdir() if path != temporary} <= {".db", ".lock"}
    quarter = ROUNDS // 4
    assert median(soak.memory[-quarter:]) - median(soak.memory[quarter : 2 * quarter]) < SLACK
    forget_the_past(env)
    for each in (env, fresh):
        pack(each.url)
    assert size(env) <= 1.1 * size(fresh)


def forget_the_past(env: SyncEnv) -> None:
    """Leave what a fresh load has."""
    for table in ("changes", "rejected_records", "sync_run_counts", "sync_scopes", "sync_runs"):
        env.execute(f"DELETE FROM {table}")  # noqa: S608 names of our own
    for table in ("model_versions", "models", "ml_repos"):
        env.execute(f"DELETE FROM {table} WHERE deleted_at IS NOT NULL")  # noqa: S608 names of our own


def pack(url: str) -> None:
    """Have the database give back what it no longer needs."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database))) as file:
            file.execute("VACUUM")
    else:
        with psycopg.connect(libpq(url), autocommit=True) as server:
            server.execute("VACUUM FULL")


def size(env: SyncEnv) -> int:
    """Bytes of the file and what lies beside it, or of the server's tables and indexes."""
    if env.url.startswith("sqlite"):
        file = Path(str(make_url(env.url).database))
        return sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*"))
    ours = "relkind = 'r' AND relnamespace = 'public'::regnamespace"
    return number(env, f"SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE {ours}")  # noqa: S608
