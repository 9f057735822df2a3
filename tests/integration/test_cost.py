"""What a run costs, counted: seconds depend on the machine, statements, requests and rows do not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from etl.simulator import Registry
from tests.support.sync_env import BOOKKEEPING, SyncEnv, sync_env

PAGE = 50


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are sent; many sets of values sent with one count once."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield sent
    event.remove(Engine, "before_cursor_execute", note)


def statements(url: str, *, models: int, metrics: int, page_size: int) -> int:
    """Those of a first load of models with four versions each."""
    registry = Registry.generate(seed=1, ml_repos=2, models=models, versions=4, metrics=metrics, empty_share=0)
    with sync_env(url, registry) as env, counted() as sent:
        assert env.sync(page_size=page_size).complete
    return len(sent)


def test_statements_grow_with_pages_and_not_with_records(migrated_url: str) -> None:
    few = statements(migrated_url, models=40, metrics=1, page_size=20)
    with sync_env(migrated_url) as env:
        empty(env)
    many = statements(migrated_url, models=400, metrics=8, page_size=200)

    assert many <= few + 40  # the rest of a table's rows, where they do not fill a statement, is one of its own


def test_a_page_takes_a_handful_of_statements(migrated_url: str) -> None:
    one_page = statements(migrated_url, models=40, metrics=2, page_size=500)
    with sync_env(migrated_url) as env:
        empty(env)
    pages = statements(migrated_url, models=40, metrics=2, page_size=21)

    more = 8 + 2 - 2  # pages of versions and of models; they overlap by one record
    assert (pages - one_page) / more <= 15


def empty(env: SyncEnv) -> None:
    for name in ("models", "model_versions", "ml_repos", "version_read_state", "subjects", *BOOKKEEPING):
        env.execute(f"DELETE FROM {name}")  # noqa: S608 names of our own


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    registry = Registry.generate(seed=1, ml_repos=2, models=120, versions=3, metrics=2, empty_share=0)
    with sync_env(migrated_url, registry) as env:
        yield env


def test_a_first_load_asks_for_each_page_once(env: SyncEnv) -> None:
    summary = env.sync(page_size=PAGE)

    probes, ml_repos, models, versions = 2, 1, -(-119 // (PAGE - 1)), -(-359 // (PAGE - 1))
    assert summary.requests == probes + ml_repos + models + versions


def test_a_run_with_nothing_new_asks_for_ml_repos_and_models_alone(env: SyncEnv) -> None:
    env.sync(page_size=PAGE)
    env.plane.log.clear()
    summary = env.sync(page_size=PAGE)

    of_versions = [each for each in env.plane.log if "model-versions" in each.path]
    assert [each.query["limit"] for each in of_versions] == ["1"]  # the probe
    assert summary.requests == len(env.plane.log) == 2 + 1 + -(-119 // (PAGE - 1))


def test_a_run_with_nothing_new_merges_nothing(env: SyncEnv) -> None:
    env.sync()
    with counted() as sent:
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


def test_a_run_writes_the_rows_of_what_changed_and_no_others(env: SyncEnv) -> None:
    env.sync(page_size=PAGE)
    before = env.registry_dump()
    version = env.registry.ids("model-versions")[0]
    env.registry.set_fields(version, {"description": "edited"})
    env.sync(page_size=PAGE)

    written = {name: set(rows) - set(before[name]) for name, rows in env.registry_dump().items()}
    assert len(written["model_versions"]) == 1
    lists = ("model_version_tags", "model_version_metrics", "model_version_packages")
    assert all(version in row for name in lists for row in written[name])
    assert not written["ml_repos"] | written["subjects"]


def test_models_read_one_by_one_are_taken_together(migrated_url: str) -> None:
    sent_for = []
    registry = Registry.generate(seed=1, ml_repos=2, models=120, versions=3, metrics=2, empty_share=0)
    with sync_env(migrated_url, registry) as env:
        env.sync(page_size=500)
        for models in (2, 20):
            for model_id in registry.ids("models")[:models]:
                registry.add_version(model_id)
            with counted() as sent:
                env.sync(page_size=500, max_delete_share=1.0)
            sent_for.append(len(sent))
    assert sent_for[1] <= sent_for[0] + 20
