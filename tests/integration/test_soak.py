"""Many runs over a changing registry and a failing control plane lose no data and leak no resources.

A round makes some changes, runs with or without a fault, and then does a run that compares everything.
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

TRANSIENT_FAULTS = (
    "rate_limit,times=2", "flaky_500:503,every=4,times=1", "reset,every=3,times=1", "truncated_body,every=3,times=1",
    "bad_json,every=4,times=1", "html_page,every=4,times=1", "slow:0.01", "no_total",
    "forbid_unfiltered:model-versions",
)  # fmt: skip
PERSISTENT_FAULTS = (
    "flaky_500:502,endpoint=ml-repos",
    "reset,endpoint=models",
    "expired_token_after:0",
    "redirect,every=3",
)

EXIT_CODES: dict[str, set[int]] = {
    "": {0},
    **{fault_name: {0} for fault_name in TRANSIENT_FAULTS},
    **{fault_name: {1, 2} for fault_name in PERSISTENT_FAULTS},
    "wrong_total,every=3": {0, 3},
    "moving,every=3": {0, 3},
    "a record without an id": {3},
}
"""The faults of a run, and the exit codes with which it may end."""

MEMORY_TOLERANCE = 16 * 2**20
"""Bytes by which memory may differ, because Python's allocator keeps some that are free."""


class Resources(NamedTuple):
    """Resources that this process and its database server hold between two runs."""

    files: int
    threads: int
    connections: int
    temporary: int

    @classmethod
    def of(cls, env: SyncEnv) -> "Resources":
        env.disconnect()
        return cls(len(os.listdir("/proc/self/fd")), threading.active_count(), *_server_resources(env))  # noqa: PTH208


def _server_resources(env: SyncEnv) -> tuple[int, int]:
    """Count other connections to the database, and temporary tables that outlived their connection."""
    if env.url.startswith("sqlite"):
        return 0, 0
    others = "datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    return (
        select_number(env, f"SELECT count(*) FROM pg_stat_activity WHERE {others}"),  # noqa: S608 a constant
        select_number(env, "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"),
    )


def select_number(env: SyncEnv, query: str) -> int:
    with env.connection() as connection:
        return int(connection.scalar(text(query)))


def resident_memory() -> int:
    """Return the memory of this process in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Editor:
    """Makes random edits of each kind to a registry."""

    registry: Registry
    draw: random.Random
    deleted: list[str] = field(default_factory=list)

    def change(self) -> None:
        """Make one edit, with or without a new `updated_at`."""
        entity, edits = self.draw.choice(self._edits(touch=self.draw.random() < 0.7))
        ids = self.deleted if entity == "deleted" else self.registry.ids(entity)
        if ids:
            self.draw.choice(edits)(self.draw.choice(ids))
        self.registry.order = self.draw.choice(["created", "created_desc", "name", "recent"])

    def _edits(self, *, touch: bool) -> list[tuple[str, list[Callable[[str], object]]]]:
        registry, draw = self.registry, self.draw
        return [
            ("ml-repos", [
                registry.add_model,
                registry.add_model,
                lambda it: registry.set_fields(it, {"num_runs": draw.randrange(99)}, touch=False),
                lambda _: registry.add_ml_repo() if len(registry.ids("ml-repos")) < 5 else None,
                lambda it: self._delete(it, registry.delete_ml_repo) if len(registry.ids("ml-repos")) > 2 else None,
            ]),
            ("models", [
                lambda it: registry.add_version(it, metrics=draw.choice([0, 3, 30]), touch=touch),
                lambda it: registry.add_version(it, touch=touch),
                lambda it: registry.set_fields(it, {"name": f"name {draw.random()}", "new": [1, None]}, touch=touch),
                lambda it: self._delete(it, registry.delete_model),
            ]),
            ("model-versions", [
                lambda it: registry.set_tags(it, draw.choice([None, [], ["prod"], ["a", "b"]]), touch=touch),
                lambda it: registry.set_alias(it, draw.choice([None, "best"]), touch=touch),
                lambda it: registry.set_description(it, f"{draw.random()}", touch=touch),
                lambda it: registry.set_framework(it, draw.choice([None, {"type": "onnx"}]), touch=touch),
                lambda it: registry.add_metric(it, "loss", draw.choice([None, 0.5, float("nan")]), touch=touch),
                registry.touch,
                lambda it: self._delete(it, partial(registry.delete_version, touch=touch)),
            ]),
            ("deleted", [self._restore]),
        ]  # fmt: skip

    def _delete(self, record: str, delete: Callable[[str], object]) -> None:
        delete(record)
        self.deleted.append(record)

    def _restore(self, record: str) -> None:
        self.deleted.remove(record)
        self.registry.restore(record)
        listed = self.registry.ids("ml-repos")
        for model in self.registry.records("models"):
            if model["ml_repo_id"] not in listed:  # no control plane has a model outside its ML repos
                self._delete(model["id"], self.registry.delete_model)


@dataclass
class Soak:
    """One database through all rounds, and the measurements."""

    env: SyncEnv
    editor: Editor
    draw: random.Random
    baseline: Resources | None = None
    pending: bool = False
    """Whether the registry has changed since the last full comparison."""
    memory: list[int] = field(default_factory=list)
    endings: Counter[tuple[str, int]] = field(default_factory=Counter)

    def round(self, count: int) -> None:
        """Make changes, do a run that may have a fault, and a run that compares everything."""
        env = self.env
        for _ in range(changes := self.draw.choice([0, 1, 3, 6])):
            self.editor.change()
        fault_name = self.draw.choice(["", "", *EXIT_CODES])
        # Whether these leave something to store is known only after the full comparison.
        self.pending |= changes > 0 or fault_name.startswith(("moving", "a record"))
        before = env.registry_dump()
        code = self._run(fault_name, as_command=count % 10 == 9)
        self.endings[fault_name, code] += 1
        assert code in EXIT_CODES[fault_name], fault_name
        if code in {1, 2} or not self.pending:
            assert env.registry_dump() == before
        if code in {0, 3}:
            assert env.sync(full=True, allow_mass_delete=True).exit_code == 0
            assert env.held() == env.served()
            self.pending = False
        self._check_resources()

    def report(self, dialect: str, **more: int) -> None:
        """Report the rounds so far."""
        endings = {
            f"{fault_name or 'calm'}: {code}": times for (fault_name, code), times in sorted(self.endings.items())
        }
        report("soak", dialect, rounds=len(self.memory), seed=SEED, endings=endings,
               changes=select_number(self.env, "SELECT count(*) FROM changes"),
               held=self.baseline and self.baseline._asdict(),
               memory=self.memory[:: len(self.memory) // 10], bytes=size(self.env), **more)  # fmt: skip

    def _run(self, fault_name: str, *, as_command: bool) -> int:
        """Return the exit code of a run with this fault."""
        env = self.env
        has_odd_record = fault_name == "a record without an id"
        if has_odd_record:
            env.registry.put_raw("models", "odd", {"name": "without an id"})
        env.plane.faults = [fault(fault_name)] if fault_name and not has_odd_record else []
        retries = 2 if fault_name in TRANSIENT_FAULTS else 0
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
            if has_odd_record:
                env.registry.delete_model("odd")

    def _check_resources(self) -> None:
        """Assert that no resource leaks; the server may take a moment to close its end of connections."""
        self.env.plane.log.clear()
        self.env.plane.headers_seen.clear()
        self.baseline = self.baseline or Resources.of(self.env)
        for _ in range(100):
            now = Resources.of(self.env)
            if all(one <= other for one, other in zip(now, self.baseline, strict=True)):
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"{now}, and at first {self.baseline}")
        self.memory.append(resident_memory())


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
def test_after_many_runs_the_tables_equal_the_source_and_no_resource_leaks(
    dialect: str, migrated_url: str, fresh_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"TFY_ETL_TEST_SEED={SEED}")  # noqa: T201 pytest shows it when the test fails
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    draw = random.Random(SEED)  # noqa: S311 no secret
    with sync_env(migrated_url) as env:
        first = env.start()  # also starts the process from which commands are forked
        first.communicate(timeout=patience())
        assert first.returncode == 0
        soak = Soak(env, Editor(env.registry, draw), draw)
        for count in range(ROUNDS):
            soak.round(count)
            if is_time_to_report(count + 1, ROUNDS):
                soak.report(dialect)
        assert env.sync(full=True, allow_mass_delete=True).exit_code == 0
        fresh = SyncEnv(env.plane, fresh_url)
        fresh.sync()
        assert env.held() == env.served() == fresh.held()
        soak.report(dialect, bytes_of_fresh_load=size(fresh))
        fresh.disconnect()

    assert list(temporary.iterdir()) == []
    assert {path.suffix for path in tmp_path.iterdir() if path != temporary} <= {".db", ".lock"}
    quarter = ROUNDS // 4
    assert median(soak.memory[-quarter:]) - median(soak.memory[quarter : 2 * quarter]) < MEMORY_TOLERANCE
    delete_history(env)
    for each in (env, fresh):
        each.disconnect()
        vacuum(each.url)
    assert size(env) <= 1.1 * size(fresh)


def delete_history(env: SyncEnv) -> None:
    """Delete the rows that a fresh load does not have."""
    for table in ("changes", "rejected_records", "sync_run_counts", "sync_scopes", "sync_runs"):
        env.execute(f"DELETE FROM {table}")  # noqa: S608 names of our own
    for table in ("model_versions", "models", "ml_repos"):
        env.execute(f"DELETE FROM {table} WHERE deleted_at IS NOT NULL")  # noqa: S608 names of our own


def vacuum(url: str) -> None:
    """Make the database release unused space."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database))) as file:
            file.execute("VACUUM")
    else:
        with psycopg.connect(libpq(url), autocommit=True) as server:
            server.execute("VACUUM FULL")


def size(env: SyncEnv) -> int:
    """Return the bytes of the file and its log, or of the server's tables and indexes."""
    if env.url.startswith("sqlite"):
        file = Path(str(make_url(env.url).database))
        return sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*"))
    ours = "relkind = 'r' AND relnamespace = 'public'::regnamespace"
    return select_number(env, f"SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE {ours}")  # noqa: S608
