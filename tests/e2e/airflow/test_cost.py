"""Count requests and connections with a thousand ML repos; docs/how-to/airflow.md has the numbers."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.execution_time.context import OutletEventAccessors
from sqlalchemy import text

from etl.airflow.operators import TrueFoundryListMlReposOperator, TrueFoundrySyncOperator, TrueFoundryVerifyOperator
from etl.simulator import Registry
from etl.store import open_engine
from tests.e2e.airflow.conftest import Connect
from tests.support.airflow_installation import postgres_connection
from tests.support.databases import new_database
from tests.support.patience import patience
from tests.support.sync_env import TOKEN, SyncEnv, sync_env

# A thousand ML repos take a while to generate.
pytestmark = pytest.mark.timeout(600)

_CONNECTIONS: dict[str, Any] = {"truefoundry_conn_id": "plane", "database_conn_id": "registry_db"}


@pytest.fixture
def large_env(postgres_url: str, migrated_template: str, connect: Connect) -> Iterator[SyncEnv]:
    """A thousand ML repos, each with two models of one version."""
    registry = Registry.generate(seed=3, ml_repos=1000, models=2000, versions=1, metrics=0, empty_share=0)
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url, registry) as env:
        connect("plane", conn_type="truefoundry", host=env.plane.url, password=TOKEN)
        connect("registry_db", **postgres_connection(url))
        yield env


@pytest.fixture(autouse=True)
def _outside_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True, raising=False)


def requests_since_last_call(env: SyncEnv) -> dict[str, int]:
    """The number of requests by path since the last call."""
    found = Counter(entry.path.rsplit("/", 1)[-1] for entry in env.plane.log)
    env.plane.log.clear()
    return dict(found)


def test_with_a_thousand_ml_repos_a_sync_sends_few_requests_and_verify_reads_pages(large_env: SyncEnv) -> None:
    context: Any = {"ti": None, "outlet_events": OutletEventAccessors()}
    batches = TrueFoundryListMlReposOperator(task_id="list", truefoundry_conn_id="plane").execute(context)
    assert (len(batches), requests_since_last_call(large_env)) == (1000, {"models": 1, "ml-repos": 3})

    TrueFoundrySyncOperator(task_id="one", ml_repos=batches[0], **_CONNECTIONS).execute(context)
    assert requests_since_last_call(large_env) == {"models": 2, "ml-repos": 3, "model-versions": 2}
    TrueFoundrySyncOperator(task_id="again", ml_repos=batches[0], **_CONNECTIONS).execute(context)
    assert requests_since_last_call(large_env) == {"models": 2, "ml-repos": 3, "model-versions": 1}

    TrueFoundrySyncOperator(task_id="all", **_CONNECTIONS).execute(context)
    requests_since_last_call(large_env)
    TrueFoundrySyncOperator(task_id="by_name", ml_repos=batches[1], **_CONNECTIONS).execute(context)
    assert requests_since_last_call(large_env) == {"models": 2, "ml-repos": 1, "model-versions": 1}
    proof = TrueFoundryVerifyOperator(task_id="verify", listed=[], synced=[], **_CONNECTIONS).execute(context)
    assert (proof["models"]["seen"], requests_since_last_call(large_env)) == (
        2000,
        {"models": 6, "ml-repos": 3, "model-versions": 1},
    )


def test_a_task_uses_one_database_connection(large_env: SyncEnv) -> None:
    counts = []
    engine = open_engine(large_env.url)
    query = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")

    def count_connections(_number: int, _path: str, _query: dict[str, list[str]]) -> None:
        deadline = time.monotonic() + patience()
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # The server lists a closed connection until its process has ended.
            while (found := connection.scalar(query)) != 1 and time.monotonic() < deadline:
                time.sleep(0.05)
            counts.append(found)

    large_env.plane.before_request = count_connections
    context: Any = {"ti": None, "outlet_events": OutletEventAccessors()}
    options = {"concurrency": 1}
    TrueFoundrySyncOperator(task_id="one", ml_repos=["1"], options=options, **_CONNECTIONS).execute(context)
    engine.dispose()
    assert len(counts) == 7
    assert set(counts) == {1}
