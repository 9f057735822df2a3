from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from etl.airflow.change_events import start_position
from etl.airflow.hook import database_url_of
from etl.airflow.lineage import registry_asset
from etl.airflow.operators import TrueFoundryVerifyOperator
from etl.errors import ConfigError
from etl.models import Model
from tests.e2e.airflow.conftest import Connect
from tests.e2e.airflow.running import context, operator
from tests.support.airflow_installation import postgres_connection
from tests.support.sync_env import SyncEnv

# A trigger that deletes a row when a run commits, to simulate a loss.
_LOSE_A_MODEL = """
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE models SET deleted_at = now() WHERE id = (SELECT min(id) FROM models); RETURN NEW;
END $$
"""
_ON_COMMIT = "CREATE TRIGGER lose AFTER UPDATE ON sync_runs FOR EACH ROW EXECUTE FUNCTION lose()"


def verify(
    synced: Any, *, listed: Any = (["1"], ["2"], ["3"]), task_context: Any = None, **arguments: Any
) -> dict[str, Any]:
    defaults: dict[str, Any] = {"truefoundry_conn_id": "plane", "database_conn_id": "registry_db"}
    options = {"max_retries": 0, "page_size": 20} | arguments.pop("options", {})
    task = TrueFoundryVerifyOperator(
        task_id="verify", listed=listed, synced=synced, options=options, **defaults | arguments
    )
    return task.execute(task_context or context())


def synced(env: SyncEnv, *ml_repos: str, **arguments: Any) -> list[dict[str, Any] | None]:
    """The summaries of runs over each of these ML repos, and that of a task without one."""
    return [*(env.sync(ml_repo=(each,), **arguments).as_json() for each in ml_repos), None]


@pytest.fixture(autouse=True)
def _outside_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True, raising=False)


def test_verify_returns_the_counts_and_the_age_of_the_tables(env: SyncEnv) -> None:
    summary = verify(synced(env, "1", "2", "3"))
    proof = summary["verification"]
    assert (proof["ml_repos"], proof["vanished"], proof["models"], proof["model_versions"]) == (3, [], 12, 36)
    assert proof["last_complete_run_id"] == summary["run_id"]
    assert proof["compared"]
    assert proof["age_seconds"] >= 0
    assert proof["oldest_sync_at"] is not None


def test_verify_never_runs_a_full_comparison(env: SyncEnv) -> None:
    summary = verify(synced(env, "1", "2", "3"), options={"full": True, "full_every": "1s"})
    assert summary["mode"] == "incremental"


def test_an_ml_repo_that_no_task_synced_is_named(env: SyncEnv) -> None:
    with pytest.raises(AirflowFailException, match=r"1 of 3 ML repos have no complete sync in this DAG run.*: 2\."):
        verify(synced(env, "1", "3"))


def test_a_run_of_another_dag_run_does_not_count(env: SyncEnv) -> None:
    synced(env, "2")
    with pytest.raises(AirflowFailException, match=r": 2\."):
        verify(synced(env, "1", "3"))


def test_a_run_with_rejected_records_counts_only_if_partial_runs_are_accepted(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", {"id": "odd", "ml_repo_id": "2", "updated_at": 5})
    runs = synced(env, "1", "2", "3")
    with pytest.raises(AirflowFailException, match=r": 2\."):
        verify(runs)
    assert verify(runs, fail_on_partial=False)["rejected"] == 1


def test_a_dry_run_does_not_count_as_a_sync_and_verify_refuses_the_option(env: SyncEnv) -> None:
    with pytest.raises(AirflowFailException, match="3 of 3 ML repos"):
        verify(synced(env, "1", "2", "3", dry_run=True))
    with pytest.raises(ConfigError, match="The verify task checks what the syncs have written: remove dry_run"):
        verify(synced(env, "1", "2", "3"), options={"dry_run": True})


def test_a_run_with_unproven_lists_verifies_nothing(env: SyncEnv) -> None:
    runs = synced(env, "1", "2", "3")
    env.registry.order = "shuffled"
    summary = verify(runs, fail_on_partial=False, options={"page_size": 4})
    assert (summary["complete"], "verification" in summary) == (False, False)


def test_tables_that_differ_from_the_lists_fail_verify(env: SyncEnv) -> None:
    runs = synced(env, "1", "2", "3")
    env.execute(_LOSE_A_MODEL)
    env.execute(_ON_COMMIT)
    with pytest.raises(AirflowException, match="The control plane lists 12 models, but the tables have 11"):
        verify(runs)


def test_tables_that_keep_deleted_models_are_not_compared_with_the_lists(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[0])
    runs = synced(env, "1", "2", "3", no_delete=True)
    proof = verify(runs, options={"no_delete": "True"})["verification"]
    assert (proof["models"], proof["compared"]) == (12, False)
    assert verify(runs)["verification"]["compared"]


def test_the_changes_of_a_dag_run_that_failed_are_in_the_event_of_the_next(env: SyncEnv) -> None:
    stored: dict[str, list[Any]] = {}
    asset = registry_asset("registry_db", "models")
    verify(synced(env, "1", "2", "3"), outlets=[asset], task_context=context(stored))
    env.registry.add_model("1")
    failed = synced(env, "1")
    with pytest.raises(AirflowFailException, match="2 of 3 ML repos"):
        verify(failed, outlets=[asset], task_context=context(stored))
    task_context = context(stored)
    summary = verify(synced(env, "1", "2", "3"), outlets=[asset], task_context=task_context)
    extra = task_context["outlet_events"][asset].extra
    assert failed[0] is not None
    assert (extra["run_ids"][0], extra["run_ids"][-1]) == (failed[0]["run_id"], summary["run_id"])
    assert extra["counts"]["models"]["inserted"] == 1


def test_all_tasks_use_the_schema_of_the_connection(env: SyncEnv, connect: Connect) -> None:
    env.execute("CREATE SCHEMA plane_a")
    connect("registry_db", **postgres_connection(env.url), extra={"options": "-csearch_path=plane_a"})
    asset = registry_asset("registry_db", "models")
    runs = []
    for ml_repo in ("1", "2", "3"):
        task_context = context()
        runs.append(operator(ml_repos=[ml_repo], outlets=[asset]).execute(task_context))
        assert task_context["outlet_events"][asset].extra["counts"]["models"]["inserted"] == 4
    assert verify(runs)["verification"]["models"] == 12
    assert start_position(database_url_of("registry_db")) == 0
    assert env.rows(Model) == []


def test_verify_fails_without_a_list_of_ml_repos(env: SyncEnv) -> None:
    with pytest.raises(AirflowFailException, match="has no list of ML repos"):
        verify(synced(env, "1", "2", "3"), listed=None)


def test_a_run_over_some_models_does_not_count_as_a_sync_of_its_ml_repo(env: SyncEnv) -> None:
    runs = [*synced(env, "1", "3"), env.sync(ml_repo=("2",), name="no-such-model").as_json()]
    with pytest.raises(AirflowFailException, match=r": 2\."):
        verify(runs)


@pytest.mark.parametrize("option", [{"versions": "latest"}, {"name": "a"}, {"include_empty": False}])
def test_verify_refuses_options_that_exclude_records(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must cover everything"):
        verify([], options=option)
