from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.sdk.execution_time.context import OutletEventAccessors

from etl.airflow.operators import TrueFoundryVerifyOperator
from etl.errors import ConfigError
from tests.support.sync_env import SyncEnv

# What a database that loses a row while a run commits looks like.
_LOSES_A_MODEL = """
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE models SET deleted_at = now() WHERE id = (SELECT min(id) FROM models); RETURN NEW;
END $$
"""
_WHEN_IT_COMMITS = "CREATE TRIGGER lose AFTER UPDATE ON sync_runs FOR EACH ROW EXECUTE FUNCTION lose()"


def verify(synced: Any, *, listed: Any = (["1"], ["2"], ["3"]), **given: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"truefoundry_conn_id": "plane", "database_conn_id": "registry_db"}
    options = {"max_retries": 0, "page_size": 20} | given.pop("options", {})
    operator = TrueFoundryVerifyOperator(
        task_id="verify", listed=listed, synced=synced, options=options, **usual | given
    )
    return operator.execute({"ti": None, "outlet_events": OutletEventAccessors()})


def synced(mirror: SyncEnv, *ml_repos: str, **given: Any) -> list[dict[str, Any] | None]:
    """The summaries of runs over each of these, and that of a task which gave none."""
    return [*(mirror.sync(ml_repo=(each,), **given).as_json() for each in ml_repos), None]


@pytest.fixture(autouse=True)
def _called_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True, raising=False)


def test_a_proof_counts_what_the_tables_have_and_says_how_old_it_is(mirror: SyncEnv) -> None:
    told = verify(synced(mirror, "1", "2", "3"))
    proof = told["whole"]
    assert (proof["ml_repos"], proof["vanished"], proof["models"], proof["model_versions"]) == (3, [], 12, 36)
    assert proof["last_complete_run_id"] == told["run_id"]
    assert proof["compared"]
    assert proof["age_seconds"] >= 0
    assert proof["oldest_sync_at"] is not None


def test_an_ml_repo_that_no_task_synced_is_named(mirror: SyncEnv) -> None:
    with pytest.raises(AirflowFailException, match=r"1 of 3 ML repos were not synced in this DAG run.*: 2\."):
        verify(synced(mirror, "1", "3"))


def test_a_run_of_another_dag_run_does_not_count(mirror: SyncEnv) -> None:
    synced(mirror, "2")
    with pytest.raises(AirflowFailException, match=r": 2\."):
        verify(synced(mirror, "1", "3"))


def test_a_run_that_rejected_records_counts_only_if_that_may_pass(mirror: SyncEnv) -> None:
    mirror.registry.put_raw("models", "odd", {"id": "odd", "ml_repo_id": "2", "updated_at": 5})
    runs = synced(mirror, "1", "2", "3")
    with pytest.raises(AirflowFailException, match=r": 2\."):
        verify(runs)
    assert verify(runs, fail_on_partial=False)["rejected"] == 1


def test_a_dry_run_counts_for_nothing_and_proves_nothing(mirror: SyncEnv) -> None:
    with pytest.raises(AirflowFailException, match="3 of 3 ML repos"):
        verify(synced(mirror, "1", "2", "3", dry_run=True))
    assert "verification" not in verify(synced(mirror, "1", "2", "3"), options={"dry_run": True})


def test_lists_that_were_not_proven_prove_nothing(mirror: SyncEnv) -> None:
    runs = synced(mirror, "1", "2", "3")
    mirror.registry.order = "shuffled"
    told = verify(runs, fail_on_partial=False, options={"page_size": 4})
    assert (told["complete"], "verification" in told) == (False, False)


def test_tables_that_do_not_hold_what_the_lists_have_fail_the_proof(mirror: SyncEnv) -> None:
    runs = synced(mirror, "1", "2", "3")
    mirror.execute(_LOSES_A_MODEL)
    mirror.execute(_WHEN_IT_COMMITS)
    with pytest.raises(AirflowException, match="The lists have 12 models, but the tables have 11"):
        verify(runs)


def test_without_a_list_of_ml_repos_there_is_nothing_to_prove(mirror: SyncEnv) -> None:
    with pytest.raises(AirflowFailException, match="No ML repos were listed"):
        verify(synced(mirror, "1", "2", "3"), listed=None)


def test_a_run_over_some_models_of_an_ml_repo_is_no_sync_of_it(mirror: SyncEnv) -> None:
    runs = [*synced(mirror, "1", "3"), mirror.sync(ml_repo=("2",), name="no-such-model").as_json()]
    with pytest.raises(AirflowFailException, match=r": 2\."):
        verify(runs)


@pytest.mark.parametrize("option", [{"versions": "latest"}, {"name": "a"}, {"include_empty": False}])
def test_a_proof_is_of_the_whole(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must cover everything"):
        verify([], options=option)
