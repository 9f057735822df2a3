from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from etl.airflow.dags import registry_dag
from etl.airflow.operators import TrueFoundryListMlReposOperator, balanced_batches, batches
from etl.errors import ConfigError
from etl.models import MlRepo, ModelVersion
from tests.e2e.airflow.conftest import Connect
from tests.e2e.airflow.running import context
from tests.support.sync_env import TOKEN, SyncEnv


def store_versions(env: SyncEnv, numbers: dict[str, int]) -> None:
    """Store this number of versions in each ML repo."""
    with env.connection() as connection:
        row = dict(connection.execute(select(ModelVersion.__table__).limit(1)).mappings().one())
        for ml_repo, number in numbers.items():
            copies = [row | {"id": f"{ml_repo}-{each}", "ml_repo_id": ml_repo} for each in range(number)]
            connection.execute(insert(ModelVersion), copies)


@pytest.fixture(autouse=True)
def _outside_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the check of Airflow that only its workers execute operators."""
    monkeypatch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True, raising=False)


def test_each_ml_repo_is_a_batch_by_default(env: SyncEnv) -> None:
    listing = TrueFoundryListMlReposOperator(task_id="list", truefoundry_conn_id="plane")
    assert listing.execute({}) == [["1"], ["2"], ["3"]]


@pytest.mark.parametrize("task_id", ["list_ml_repos", "verify"])
def test_ml_repos_are_listed_with_the_options_of_the_dag(task_id: str, env: SyncEnv, connect: Connect) -> None:
    connect("truefoundry_default", conn_type="truefoundry", host=env.plane.url, password=TOKEN)
    limits: list[list[str]] = []
    env.plane.before_request = lambda _number, path, query: (
        limits.append(query["limit"]) if "ml-repos" in path else None
    )
    task: Any = registry_dag(database_conn_id="registry_db", options={"page_size": 2}).get_task(task_id)
    task.ml_repos = ""
    if task_id == "verify":
        env.sync(page_size=2)
        task.listed, task.synced = [["1"], ["2"], ["3"]], []
        task.options.pop("allow_mass_delete")  # a template
        with pytest.raises(AirflowFailException, match="3 of 3 ML repos"):
            task.execute(context())
    else:
        assert task.execute(context()) == [["1"], ["2"], ["3"]]
    assert limits
    assert all(each == ["2"] for each in limits)


def test_a_refused_token_fails_the_list_without_retry(env: SyncEnv, connect: Connect) -> None:
    connect("plane", conn_type="truefoundry", host=env.plane.url, password="another-token")
    with pytest.raises(AirflowFailException):
        TrueFoundryListMlReposOperator(task_id="list", truefoundry_conn_id="plane").execute({})


@given(ml_repos=st.sets(st.integers(1, 5000).map(str), max_size=300), size=st.integers(-1, 50))
def test_every_ml_repo_is_in_one_batch_and_the_number_of_batches_is_limited(ml_repos: set[str], size: int) -> None:
    for limit in (1, 7, 1024):
        found = batches(sorted(ml_repos), size, limit)
        assert sorted(each for batch in found for each in batch) == sorted(ml_repos)
        assert all(found)
        assert len(found) <= limit
        assert size <= 1 or len(found) <= max(1, 2 * len(ml_repos) / size)


def test_a_new_ml_repo_changes_one_batch() -> None:
    ml_repos = [str(number) for number in range(100)]
    for size, limit in ((10, 1024), (1, 50)):
        before, after = batches(ml_repos, size, limit), batches([*ml_repos, "500"], size, limit)
        assert len([batch for batch in after if batch not in before]) == 1


@given(versions=st.dictionaries(st.text(max_size=3), st.integers(0, 10_000), max_size=60), limit=st.integers(1, 20))
def test_balanced_batches_have_each_ml_repo_once_and_similar_costs(versions: dict[str, int], limit: int) -> None:
    found = balanced_batches(versions, limit)
    costs = [sum(100 + versions[each] for each in batch) for batch in found]

    assert sorted(each for batch in found for each in batch) == sorted(versions)
    assert len(found) == min(limit, len(versions))
    if costs:
        # The greedy assignment, with costs that are rounded down by less than a half.
        average, largest = sum(costs) / limit, max(versions.values()) + 100
        assert max(costs) <= 1.5 * (average + largest)


def test_a_few_new_versions_change_no_balanced_batch() -> None:
    versions = {str(number): 1000 + number % 50 for number in range(200)}
    changed = {ml_repo: number + 30 for ml_repo, number in versions.items()}
    assert balanced_batches(versions, 64) == balanced_batches(changed, 64)


def test_more_ml_repos_than_airflow_maps_are_batched_by_their_stored_versions(env: SyncEnv) -> None:
    while len(env.registry.ids("ml-repos")) < 1100:
        env.registry.add_ml_repo()
    env.sync(ml_repo=tuple("123456"), page_size=500)  # 12 versions in each of the first three
    store_versions(env, {"4": 3000, "5": 500, "6": 500})
    listing = TrueFoundryListMlReposOperator(
        task_id="list", truefoundry_conn_id="plane", database_conn_id="registry_db"
    )
    found = listing.execute({})
    batch_of = {ml_repo: batch for batch in found for ml_repo in batch}

    assert len(found) == 1024
    assert sorted(each for batch in found for each in batch) == sorted(env.registry.ids("ml-repos"))
    assert {len(batch) for batch in found} == {1, 2}
    assert [batch_of[each] for each in ("4", "5", "6")] == [["4"], ["5"], ["6"]]


@pytest.mark.parametrize("database", [{}, {"database_url": "sqlite:////tmp/no-such-folder/no-such-file.db"}])
def test_batches_have_the_same_number_of_ml_repos_if_nothing_is_stored(
    env: SyncEnv, database: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    while len(env.registry.ids("ml-repos")) < 1100:
        env.registry.add_ml_repo()
    found = TrueFoundryListMlReposOperator(task_id="list", truefoundry_conn_id="plane", **database).execute({})

    assert (len(found), {len(batch) for batch in found}) == (1024, {1, 2})
    assert ("or change the argument database_url" in capfd.readouterr().out) == bool(database)


def test_a_list_accepts_one_database_and_no_password_in_its_url() -> None:
    with pytest.raises(ConfigError, match="only one of"):
        TrueFoundryListMlReposOperator(task_id="list", database_conn_id="a", database_url="sqlite:///b")
    with pytest.raises(ConfigError, match="password"):
        TrueFoundryListMlReposOperator(task_id="list", database_url="postgresql://a:b@c/d")


def test_more_ml_repos_than_airflow_maps_are_put_into_larger_batches_than_wanted(env: SyncEnv) -> None:
    while len(env.registry.ids("ml-repos")) < 1100:
        env.registry.add_ml_repo()
    found = TrueFoundryListMlReposOperator(task_id="list", truefoundry_conn_id="plane", repos_per_task=1).execute({})
    assert 512 < len(found) <= 1024
    assert sorted(each for batch in found for each in batch) == sorted(env.registry.ids("ml-repos"))
    batch = max(found, key=len)
    assert len(batch) > 1
    assert env.sync(ml_repo=tuple(batch)).complete
    assert {row["id"] for row in env.rows(MlRepo)} == set(batch)
