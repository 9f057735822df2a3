"""Many runs started together: one after another, or side by side where that is safe; never mixed."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from etl.models import Base, Change, Model, SyncRun
from etl.simulator import Registry
from tests.support.databases import libpq, new_database
from tests.support.load_factor import LOAD_FACTOR, report
from tests.support.patience import patience
from tests.support.sync_env import BOOKKEEPING, SyncEnv, sync_env

OF_A_RUN = {"first_seen_at", "last_changed_at", "run_id", "observed_at"}


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_of_twenty_runs_at_once_each_is_written_whole_or_leaves(migrated_url: str, dialect: str) -> None:
    codes = []
    with sync_env(migrated_url, Registry.generate(seed=7, models=12, versions=2, metrics=1)) as mirror:
        for number in range(LOAD_FACTOR):
            for version in mirror.registry.ids("model-versions"):
                mirror.registry.set_description(version, f"word {number}")
            patient = [mirror.start("--lock-wait", "100") for _ in range(4)]
            runs = [*patient, *(mirror.start() for _ in range(16))]
            for process in runs:
                _, err = process.communicate(timeout=patience(120))
                assert process.returncode in ({0} if process in patient else {0, 4}), err
                assert "Traceback" not in err
                codes.append(process.returncode)
            assert mirror.held() == mirror.served()
        rows = sorted(mirror.rows(SyncRun), key=lambda row: row["started_at"])
        assert [row["status"] for row in rows] == ["succeeded"] * codes.count(0)
        assert all(one["finished_at"] <= other["started_at"] for one, other in pairwise(rows))
        assert sum(row["requests"] for row in rows) == len(mirror.plane.log)
    report("runs at once", dialect=dialect, started=len(codes), exit_0=codes.count(0), exit_4=codes.count(4))


@pytest.fixture
def mirror(migrated_template: str, postgres_url: str) -> Iterator[SyncEnv]:
    """Only on a server do runs over different ML repos go side by side."""
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url) as mirror:
        yield mirror


def said_by(mirror: SyncEnv) -> dict[str, list[dict[str, Any]]]:
    """Every row of the registry's tables and what is told of changes, without what differs from run to run."""
    found = {}
    for name, table in Base.metadata.tables.items():
        if name not in BOOKKEEPING:
            rows = [{k: v for k, v in row.items() if k not in OF_A_RUN} for row in mirror.rows(table)]
            for row in rows:
                if "deleted_at" in row:
                    row["deleted_at"] = row["deleted_at"] is not None
                if name == "changes":
                    del row["id"]
            found[name] = sorted(rows, key=repr)
    return found


@pytest.mark.timeout(180 * LOAD_FACTOR)
def test_runs_over_different_ml_repos_at_once_end_as_one_run_over_all(
    mirror: SyncEnv, migrated_template: str, postgres_url: str
) -> None:
    registry = mirror.registry
    with new_database(postgres_url, template=migrated_template) as url:
        whole = SyncEnv(mirror.plane, url)
        for number in range(LOAD_FACTOR + 1):
            runs = [mirror.start("--ml-repo", repo) for repo in ("1", "2", "3")]
            whole.sync(full=True)
            for process in runs:
                _, err = process.communicate(timeout=patience())
                assert process.returncode == 0, err
            assert said_by(mirror) == said_by(whole)
            registry.delete_version(registry.ids("model-versions")[number])
            for version in registry.ids("model-versions"):
                registry.set_tags(version, [f"word {number}", "kept"])
            registry.add_version(registry.add_model("1"))


@contextmanager
def merges_held(mirror: SyncEnv) -> Iterator[None]:
    """No merge gets further than its first table before this is left."""
    with psycopg.connect(libpq(mirror.url)) as connection:
        connection.execute("LOCK TABLE subjects IN EXCLUSIVE MODE")
        yield


def wait_until_merging(mirror: SyncEnv, runs: int) -> None:
    """Until so many runs have read all and wait to write."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + patience()
    with closing(psycopg.connect(libpq(mirror.url), autocommit=True)) as connection:
        while connection.execute(query).fetchone() != (runs,):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def move(mirror: SyncEnv, model: str, *, to: str) -> None:
    """A model, and with it its versions, goes to another ML repo."""
    for version in mirror.registry.records("model-versions"):
        if version["model_id"] == model and version["ml_repo_id"] is not None:
            mirror.registry.set_fields(version["id"], {"ml_repo_id": to})
    mirror.registry.set_fields(model, {"ml_repo_id": to})


def run_while_held(mirror: SyncEnv, first: str, second: str, moving: str | None = None) -> None:
    """Runs over two ML repos write in this order once both have read; between their readings a model may move."""
    with merges_held(mirror):
        runs = [mirror.start("--ml-repo", first, "--allow-mass-delete")]
        wait_until_merging(mirror, 1)
        if moving:
            move(mirror, moving, to=second)
        runs.append(mirror.start("--ml-repo", second, "--allow-mass-delete"))
        wait_until_merging(mirror, 2)
    for process in runs:
        _, err = process.communicate(timeout=patience())
        assert process.returncode == 0, err


def kinds(mirror: SyncEnv, model: str) -> list[str]:
    return [row["kind"] for row in mirror.rows(Change, Change.entity_id == model)]


def test_a_model_that_both_runs_have_seen_first_ends_where_it_went(mirror: SyncEnv) -> None:
    mirror.sync(ml_repo=("3",))
    run_while_held(mirror, "1", "2", moving=mirror.registry.ids("models")[0])

    assert mirror.held() == mirror.served()


def test_a_new_model_that_both_runs_have_seen_is_told_as_created_once(mirror: SyncEnv) -> None:
    for repo in ("1", "2", "3"):
        mirror.sync(ml_repo=(repo,))
    model = mirror.registry.add_model("1")
    mirror.registry.add_version(model)
    run_while_held(mirror, "1", "2", moving=model)

    assert kinds(mirror, model) == ["created"]
    assert mirror.held() == mirror.served()


def test_what_one_run_saw_before_it_moved_does_not_overwrite_where_it_went(mirror: SyncEnv) -> None:
    mirror.sync(ml_repo=("3",))
    reading, gate = threading.Event(), threading.Event()

    def hook(_number: int, path: str, query: dict[str, list[str]]) -> None:
        if path.endswith("/model-versions") and query.get("ml_repo_id") == ["1"]:
            reading.set()
            gate.wait(patience())

    mirror.plane.before_request = hook
    slow = mirror.start("--ml-repo", "1")
    assert reading.wait(patience())
    model = mirror.registry.ids("models")[0]
    move(mirror, model, to="2")
    mirror.command("--ml-repo", "2")
    gate.set()
    _, err = slow.communicate(timeout=patience())

    assert slow.returncode in {0, 3}, err
    assert mirror.row(Model, Model.id == model)["ml_repo_id"] == "2"
    assert mirror.held() == mirror.served()


@pytest.mark.parametrize(("first", "second"), [("1", "2"), ("2", "1")])
def test_a_model_that_one_run_saw_go_and_the_other_come_lives_on_with_its_versions(
    mirror: SyncEnv, first: str, second: str
) -> None:
    model = mirror.registry.ids("models")[0]
    for version in mirror.registry.records("model-versions"):
        if version["model_id"] == model:  # what does not say its ML repo is as it was when its model moves
            mirror.registry.set_fields(version["id"], {"ml_repo_id": None})
    mirror.sync()
    for repo in ("1", "2"):
        mirror.sync(ml_repo=(repo,))
    move(mirror, model, to="2")
    run_while_held(mirror, first, second)

    assert mirror.held() == mirror.served()
    assert set(kinds(mirror, model)) == {"updated"}
