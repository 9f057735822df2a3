"""The changes since a position, as sensors and triggers of Airflow read them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from etl.changes import sentence
from etl.models import SyncRun
from etl.simulator import MODELS, Registry
from etl.store import queries
from etl.store.queries.change_watch import ChangeCondition, NewChanges
from tests.support.sync_env import SyncEnv, sync_env

ANY = ChangeCondition()


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    """Two ML repos with a model `scorer` of one version each, after the first run."""
    registry = Registry(seed=5)
    for name in ("risk", "marketing"):
        version = registry.add_version(registry.add_model(registry.add_ml_repo(name), "scorer"), metrics=0)
        registry.set_tags(version, None)
    with sync_env(migrated_url, registry) as env:
        env.sync()
        yield env


def read(env: SyncEnv, condition: ChangeCondition, after: int = 0, limit: int = 100) -> NewChanges:
    with env.connection() as connection:
        return queries.change_watch.read(connection, condition, after, limit)


def sentences(env: SyncEnv, condition: ChangeCondition, after: int = 0) -> list[str]:
    return [sentence(each, str) for each in read(env, condition, after).changes]


def test_each_change_is_read_once_from_position_to_position(env: SyncEnv) -> None:
    first, second = env.registry.ids("model-versions")
    assert read(env, ANY) == NewChanges((), 0, 0)
    env.registry.set_tags(first, ["a"])
    env.sync()
    found = read(env, ANY)
    assert [sentence(each, str) for each in found.changes] == ["risk/scorer v1: tag a added"]
    assert read(env, ANY, found.position) == NewChanges((), 0, found.position)

    env.registry.set_tags(second, ["b"])
    env.sync()
    again = read(env, ANY, found.position)
    assert [sentence(each, str) for each in again.changes] == ["marketing/scorer v1: tag b added"]
    assert again.position > found.position


def test_a_limit_bounds_the_list_and_not_the_count(env: SyncEnv) -> None:
    env.registry.set_tags(env.registry.ids("model-versions")[0], ["a", "b", "c"])
    env.sync()
    found = read(env, ANY, limit=2)
    assert (len(found.changes), found.total) == (2, 3)
    assert read(env, ANY, limit=3).total == 3


def test_a_tag_is_seen_on_any_version_when_it_moves(env: SyncEnv) -> None:
    first, second = env.registry.ids("model-versions")
    production = ChangeCondition(tag="production")
    env.registry.set_tags(first, ["production", "other"])
    env.sync()
    assert sentences(env, production) == ["risk/scorer v1: tag production added"]
    after = read(env, production).position
    env.registry.set_tags(first, ["other"])
    env.registry.set_tags(second, ["production"])
    env.sync()
    assert sentences(env, production, after) == [
        "marketing/scorer v1: tag production added",
        "risk/scorer v1: tag production removed",
    ]
    assert sentences(env, ChangeCondition(tag="other"), after) == []


def test_a_tag_is_seen_on_a_version_that_is_created_or_deleted_with_it(env: SyncEnv) -> None:
    production = ChangeCondition(tag="production")
    version = env.registry.add_version(env.registry.ids(MODELS)[0], metrics=0)
    env.registry.set_tags(version, ["production"])
    env.registry.set_tags(env.registry.add_version(env.registry.ids(MODELS)[0], metrics=0), None)
    env.sync()
    assert sentences(env, production) == ["risk/scorer v2: created, with tag production"]
    after = read(env, production).position
    env.registry.delete_version(version)
    env.sync(allow_mass_delete=True)
    assert sentences(env, production, after) == ["risk/scorer v2: deleted"]


def test_a_new_version_of_a_model_is_found_by_the_name_of_the_model(env: SyncEnv) -> None:
    risk, marketing = env.registry.ids(MODELS)
    env.registry.set_tags(env.registry.ids("model-versions")[0], ["a"])
    for model in (risk, marketing):
        env.registry.set_tags(env.registry.add_version(model, metrics=0), None)
    env.sync()
    by_name = {
        name: sentences(env, ChangeCondition(model=name, new_versions=True))
        for name in ("scorer", "risk/scorer", str(env.registry.records(MODELS)[0]["fqn"]), "unknown")
    }
    assert list(by_name.values()) == [
        ["marketing/scorer v2: created", "risk/scorer v2: created"],
        ["risk/scorer v2: created"],
        ["risk/scorer v2: created"],
        [],
    ]


def test_version_created_with_its_model_is_a_new_version(env: SyncEnv) -> None:
    env.registry.add_version(env.registry.add_model("1", "newcomer"), metrics=0)
    env.sync()
    assert sentences(env, ChangeCondition(model="newcomer", new_versions=True)) == ["newcomer v1: created"]
    assert sentences(env, ANY) == ["newcomer: created, with 1 version"]


def test_a_position_by_time_is_before_the_changes_of_runs_that_ended_later(env: SyncEnv) -> None:
    version = env.registry.ids("model-versions")[0]
    positions = []
    for tag in ("a", "b"):
        env.registry.set_tags(version, [tag])
        env.sync()
        with env.connection() as connection:
            positions.append(queries.change_watch.position(connection))
    ends = sorted(run["finished_at"] for run in env.rows(SyncRun))
    with env.connection() as connection:
        positions_at = [
            queries.change_watch.position_at(connection, end) for end in (*ends, ends[-1] + timedelta(days=1))
        ]
    assert positions_at == [0, 0, positions[0], positions[1]]


def test_position_after_the_last_change_reads_from_the_start(env: SyncEnv) -> None:
    env.registry.set_tags(env.registry.ids("model-versions")[0], ["a"])
    env.sync()
    last = read(env, ANY).position
    assert read(env, ANY, last + 10).total == 1  # SQLite numbers from 1 again once all changes were pruned
