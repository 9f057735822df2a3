"""Runs that start at the same time write one after another, or concurrently where that is safe."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from etl.models import Base, Change, Model, SyncRun
from etl.simulator import Registry
from tests.support.databases import libpq, new_database
from tests.support.load_factor import LOAD_FACTOR, repetitions, report
from tests.support.patience import patience
from tests.support.preloaded_command import Done
from tests.support.sync_env import BOOKKEEPING, SyncEnv, sync_env

RUN_COLUMNS = {"first_seen_at", "last_changed_at", "run_id", "observed_at"}


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_each_of_twenty_concurrent_runs_succeeds_or_finds_the_lock_held(migrated_url: str, dialect: str) -> None:
    codes = []
    with sync_env(migrated_url, Registry.generate(seed=7, models=12, versions=2, metrics=1)) as env:
        for number in range(repetitions(1, at_full_scale=20)):
            for version in env.registry.ids("model-versions"):
                env.registry.set_description(version, f"word {number}")
            waiting = [env.submit("--lock-wait", "100", timeout=120) for _ in range(4)]
            runs = [*waiting, *(env.submit(timeout=120) for _ in range(16))]
            for each in runs:
                done = each.result()
                assert done.code in ({0} if each in waiting else {0, 4}), done.err
                assert "Traceback" not in done.err
                codes.append(done.code)
            assert env.held() == env.served()
        rows = sorted(env.rows(SyncRun), key=lambda row: row["started_at"])
        assert [row["status"] for row in rows] == ["succeeded"] * codes.count(0)
        assert all(one["finished_at"] <= other["started_at"] for one, other in pairwise(rows))
        assert sum(row["requests"] for row in rows) == len(env.plane.log)
    report("runs at once", dialect, started=len(codes), exit_0=codes.count(0), exit_4=codes.count(4))


@pytest.fixture
def env(migrated_template: str, postgres_url: str) -> Iterator[SyncEnv]:
    """A PostgreSQL database: only there can runs over different ML repos be concurrent."""
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url) as env:
        yield env


def comparable_rows(env: SyncEnv) -> dict[str, list[dict[str, Any]]]:
    """Every row of the registry's tables and of `changes`, without the columns that differ between runs."""
    found = {}
    for name, table in Base.metadata.tables.items():
        if name not in BOOKKEEPING:
            rows = [{k: v for k, v in row.items() if k not in RUN_COLUMNS} for row in env.rows(table)]
            for row in rows:
                if "deleted_at" in row:
                    row["deleted_at"] = row["deleted_at"] is not None
                if name == "changes":
                    del row["id"]
            found[name] = sorted(rows, key=repr)
    return found


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_concurrent_runs_over_different_ml_repos_give_the_result_of_one_run(
    env: SyncEnv, migrated_template: str, postgres_url: str
) -> None:
    registry = env.registry
    with new_database(postgres_url, template=migrated_template) as url:
        single_run = SyncEnv(env.plane, url)
        for number in range(repetitions(2, at_full_scale=20)):
            runs = [env.submit("--ml-repo", repo) for repo in ("1", "2", "3")]
            single_run.sync(full=True)
            assert_all_succeed(runs)
            assert comparable_rows(env) == comparable_rows(single_run)
            registry.delete_version(registry.ids("model-versions")[number])
            for version in registry.ids("model-versions"):
                registry.set_tags(version, [f"word {number}", "kept"])
            registry.add_version(registry.add_model("1"))


@contextmanager
def block_merges(env: SyncEnv) -> Iterator[None]:
    """Block the commit of every merge with a table lock: each merge writes this table, even without changes."""
    with psycopg.connect(libpq(env.url)) as connection:
        connection.execute("LOCK TABLE version_read_state IN EXCLUSIVE MODE")
        yield


def wait_until_merging(env: SyncEnv, runs: int) -> None:
    """Wait until this number of runs has read everything and waits to write."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + patience()
    with closing(psycopg.connect(libpq(env.url), autocommit=True)) as connection:
        while connection.execute(query).fetchone() != (runs,):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def move(env: SyncEnv, model: str, *, to: str) -> None:
    """Move a model and its versions to another ML repo."""
    for version in env.registry.records("model-versions"):
        if version["model_id"] == model and version["ml_repo_id"] is not None:
            env.registry.set_fields(version["id"], {"ml_repo_id": to})
    env.registry.set_fields(model, {"ml_repo_id": to})


def run_with_blocked_merges(env: SyncEnv, first: str, second: str, moving: str | None = None) -> None:
    """Let runs over two ML repos read, then write in this order; `moving` moves to the second in between."""
    with block_merges(env):
        runs = [env.submit("--ml-repo", first, "--allow-mass-delete")]
        wait_until_merging(env, 1)
        if moving:
            move(env, moving, to=second)
        runs.append(env.submit("--ml-repo", second, "--allow-mass-delete"))
        wait_until_merging(env, 2)
    assert_all_succeed(runs)


def assert_all_succeed(runs: Sequence[Future[Done]]) -> None:
    for each in runs:
        assert each.result().code == 0, each.result().err


def kinds(env: SyncEnv, model: str) -> list[str]:
    return [row["kind"] for row in env.rows(Change, Change.entity_id == model)]


def test_a_model_that_moves_between_two_runs_is_stored_in_its_new_ml_repo(env: SyncEnv) -> None:
    env.sync(ml_repo=("3",))
    run_with_blocked_merges(env, "1", "2", moving=env.registry.ids("models")[0])

    assert env.held() == env.served()


def test_a_new_model_that_moves_between_two_runs_is_recorded_as_created_once(env: SyncEnv) -> None:
    for repo in ("1", "2", "3"):
        env.sync(ml_repo=(repo,))
    model = env.registry.add_model("1")
    env.registry.add_version(model)
    run_with_blocked_merges(env, "1", "2", moving=model)

    assert kinds(env, model) == ["created"]
    assert env.held() == env.served()


def test_a_slow_run_does_not_overwrite_a_model_that_moved_after_it_was_read(env: SyncEnv) -> None:
    env.sync(ml_repo=("3",))
    paused, release = threading.Event(), threading.Event()

    def hook(_number: int, path: str, query: dict[str, list[str]]) -> None:
        if path.endswith("/model-versions") and query.get("ml_repo_id") == ["1"]:
            paused.set()
            release.wait(patience())

    env.plane.before_request = hook
    slow = env.submit("--ml-repo", "1")
    assert paused.wait(patience())
    model = env.registry.ids("models")[0]
    move(env, model, to="2")
    env.command("--ml-repo", "2")
    release.set()

    assert slow.result().code in {0, 3}, slow.result().err
    assert env.row(Model, Model.id == model)["ml_repo_id"] == "2"
    assert env.held() == env.served()


def test_a_stored_updated_at_in_the_future_does_not_block_an_update(env: SyncEnv) -> None:
    env.sync(ml_repo=("3",))
    model = env.registry.ids("models")[0]
    env.registry.set_fields(model, {"updated_at": "9999-12-31T00:00:00.000000Z"}, touch=False)
    with block_merges(env):
        runs = [env.submit("--ml-repo", "1")]
        wait_until_merging(env, 1)
        move(env, model, to="2")
        env.registry.set_fields(model, {"name": "right", "updated_at": "2024-05-01T10:00:00.000000Z"}, touch=False)
        runs.append(env.submit("--ml-repo", "2"))
        wait_until_merging(env, 2)
    assert_all_succeed(runs)

    assert env.row(Model, Model.id == model)["name"] == "right"
    assert env.held() == env.served()


@pytest.mark.parametrize(("first", "second"), [("1", "2"), ("2", "1")])
def test_a_moved_model_and_its_versions_survive_with_either_order_of_the_runs(
    env: SyncEnv, first: str, second: str
) -> None:
    model = env.registry.ids("models")[0]
    for version in env.registry.records("model-versions"):
        if version["model_id"] == model:  # a version without ml_repo_id does not change when its model moves
            env.registry.set_fields(version["id"], {"ml_repo_id": None})
    env.sync()
    for repo in ("1", "2"):
        env.sync(ml_repo=(repo,))
    move(env, model, to="2")
    run_with_blocked_merges(env, first, second)

    assert env.held() == env.served()
    assert set(kinds(env, model)) == {"updated"}
