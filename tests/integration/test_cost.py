"""The cost of a run in statements, requests and rows, which do not depend on the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from etl.simulator import Registry
from tests.support.sync_env import BOOKKEEPING, SyncEnv, sync_env

PAGE = 50


@contextmanager
def collect_statements() -> Iterator[list[str]]:
    """Collect the statements that are sent; a statement with many sets of values counts once."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


def count_statements(url: str, *, models: int, metrics: int, page_size: int) -> int:
    """Count the statements of a first load of models with four versions each."""
    registry = Registry.generate(seed=1, ml_repos=2, models=models, versions=4, metrics=metrics, empty_share=0)
    with sync_env(url, registry) as env, collect_statements() as sent:
        assert env.sync(page_size=page_size).complete
    return len(sent)


def test_statements_grow_with_pages_and_not_with_records(migrated_url: str) -> None:
    few = count_statements(migrated_url, models=40, metrics=1, page_size=20)
    with sync_env(migrated_url) as env:
        empty_tables(env)
    many = count_statements(migrated_url, models=400, metrics=8, page_size=200)

    assert many <= few + 40  # one more for each table whose last rows do not fill a statement


def test_each_page_takes_few_statements(migrated_url: str) -> None:
    one_page = count_statements(migrated_url, models=40, metrics=2, page_size=500)
    with sync_env(migrated_url) as env:
        empty_tables(env)
    pages = count_statements(migrated_url, models=40, metrics=2, page_size=21)

    more_pages = 8 + 2 - 2  # pages of versions and of models; they overlap by one record
    assert (pages - one_page) / more_pages <= 15


def empty_tables(env: SyncEnv) -> None:
    for name in ("models", "model_versions", "ml_repos", "version_read_state", "subjects", *BOOKKEEPING):
        env.execute(f"DELETE FROM {name}")  # noqa: S608 names of our own


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    registry = Registry.generate(seed=1, ml_repos=2, models=120, versions=3, metrics=2, empty_share=0)
    with sync_env(migrated_url, registry) as env:
        yield env


def test_first_load_requests_each_page_once(env: SyncEnv) -> None:
    summary = env.sync(page_size=PAGE)

    probes, ml_repos, models, versions = 2, 1, -(-119 // (PAGE - 1)), -(-359 // (PAGE - 1))
    assert summary.requests == probes + ml_repos + models + versions


def test_run_without_changes_requests_only_ml_repos_and_models(env: SyncEnv) -> None:
    env.sync(page_size=PAGE)
    env.plane.log.clear()
    summary = env.sync(page_size=PAGE)

    version_requests = [each for each in env.plane.log if "model-versions" in each.path]
    assert [each.query["limit"] for each in version_requests] == ["1"]  # the probe
    assert summary.requests == len(env.plane.log) == 2 + 1 + -(-119 // (PAGE - 1))


def test_run_without_changes_merges_nothing(env: SyncEnv) -> None:
    env.sync()
    with collect_statements() as sent:
        env.sync()
    merged = ("subjects", "models", "model_versions", "model_version_tags", "changes")
    assert [
        statement for statement in sent if statement.startswith(tuple(f"INSERT INTO {name} " for name in merged))
    ] == []


@pytest.mark.parametrize("dialect", ["postgresql"])
def test_a_run_opens_one_session(dialect: str, env: SyncEnv) -> None:
    opened: list[Connection] = []
    note = opened.append
    event.listen(Engine, "engine_connect", note)
    env.sync()
    event.remove(Engine, "engine_connect", note)
    assert len(opened) == 1


def test_run_writes_only_rows_of_the_changed_record(env: SyncEnv) -> None:
    env.sync(page_size=PAGE)
    before = env.registry_dump()
    version = env.registry.ids("model-versions")[0]
    env.registry.set_fields(version, {"description": "edited"})
    env.sync(page_size=PAGE)

    written = {name: set(rows) - set(before[name]) for name, rows in env.registry_dump().items()}
    assert len(written["model_versions"]) == 1
    child_tables = ("model_version_tags", "model_version_metrics", "model_version_packages")
    assert all(version in row for name in child_tables for row in written[name])
    assert not written["ml_repos"] | written["subjects"]


def test_models_read_one_by_one_are_staged_together(migrated_url: str) -> None:
    counts = []
    registry = Registry.generate(seed=1, ml_repos=2, models=120, versions=3, metrics=2, empty_share=0)
    with sync_env(migrated_url, registry) as env:
        env.sync(page_size=500)
        for models in (2, 20):
            for model_id in registry.ids("models")[:models]:
                registry.add_version(model_id)
            with collect_statements() as sent:
                env.sync(page_size=500, max_delete_share=1.0)
            counts.append(len(sent))
    assert counts[1] <= counts[0] + 20
