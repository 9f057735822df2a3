"""`dag.test()` runs the example DAG in this process, from the simulator to PostgreSQL."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.utils.db import upgradedb

from etl.airflow import example_dags
from etl.airflow.lineage import TABLES
from etl.models import Change, MlRepo, Model, SyncRun, SyncScope
from etl.simulator import Registry
from etl.store import ALL_REPOS, Store
from tests.e2e.airflow.conftest import Connect
from tests.support.paths import ROOT
from tests.support.sync_env import TOKEN, SyncEnv

# Airflow creates its database, and a DAG run takes seconds of CPU time.
pytestmark = pytest.mark.timeout(600)

EXAMPLE = Path(str(example_dags.__file__)).with_name("truefoundry_registry.py")
OTHER_PYTHON = ROOT / ".venv" / "bin" / "python"
"""The Python of an environment with tfy-etl and without Airflow."""


HOME = Path(os.environ["AIRFLOW_HOME"])
# Without delays between tries, and with small pages, so that lists have many.
_OTHER_DAGS = """
from airflow.sdk import DAG, task
from etl.airflow.dags import registry_dag, registry_task_group
dag = registry_dag("quick", truefoundry_conn_id="plane", database_conn_id="registry_db", retries=0)
batched = registry_dag("batched", truefoundry_conn_id="plane", database_conn_id="registry_db", repos_per_task=2)

with DAG("grouped", schedule=None):

    @task
    def use():
        pass

    registry_task_group("registry", truefoundry_conn_id="plane", database_conn_id="registry_db", retries=0) >> use()

with DAG("branched", schedule=None):

    @task.branch
    def choose():
        return "other"

    @task
    def other():
        pass

    group = registry_task_group("registry", truefoundry_conn_id="plane", database_conn_id="registry_db", retries=0)
    choose() >> [group, other()]
"""

_DEFAULTS: dict[str, Any] = {"full": False, "ml_repos": [], "allow_mass_delete": False}


class DagRunResult(NamedTuple):
    """A finished run of the DAG, as in Airflow's own database."""

    state: str
    tasks: dict[tuple[str, int], str]
    xcoms: dict[tuple[str, int], Any]
    events: dict[str, Any]
    labels: dict[tuple[str, int], str]
    links: dict[tuple[str, int], str]


RunDag = Callable[..., DagRunResult]


@pytest.fixture(scope="session")
def dags() -> DagBag:
    """The example and similar DAGs in Airflow's folder, and Airflow's own database."""
    upgradedb()
    (HOME / "dags").mkdir()
    shutil.copy(EXAMPLE, HOME / "dags")
    elsewhere = EXAMPLE.with_name("truefoundry_registry_elsewhere.py").read_text(encoding="utf-8")
    (HOME / "dags" / "elsewhere.py").write_text(
        elsewhere.replace("/opt/tfy-etl/bin/python", str(OTHER_PYTHON)), encoding="utf-8"
    )
    (HOME / "dags" / "quick.py").write_text(_OTHER_DAGS, encoding="utf-8")
    bag = DagBag(HOME / "dags", bundle_name="dags-folder")
    assert bag.import_errors == {}
    return bag


@pytest.fixture
def run_dag(dags: DagBag, env: SyncEnv, connect: Connect) -> RunDag:
    """Run a DAG in this process."""
    connect("truefoundry_default", conn_type="truefoundry", host=env.plane.url, password=TOKEN)

    def run_dag(dag_id: str = "quick", **conf: Any) -> DagRunResult:
        dag = dags.dags[dag_id]
        # `test` leaves the values of a run in the parameters of the DAG, so each run names all.
        run = dag.test(run_conf=(_DEFAULTS if dag.params else {}) | conf)
        dag_run = (dag_id, run.run_id)
        with closing(sqlite3.connect(HOME / "airflow.db")) as airflow:
            tasks = airflow.execute(
                "SELECT task_id, map_index, state, rendered_map_index FROM task_instance "
                "WHERE dag_id = ? AND run_id = ?",
                dag_run,
            ).fetchall()
            xcoms = airflow.execute(
                "SELECT key, task_id, map_index, value FROM xcom WHERE dag_id = ? AND run_id = ?", dag_run
            ).fetchall()
            events = airflow.execute(
                "SELECT asset.name, asset_event.extra FROM asset_event JOIN asset ON asset.id = asset_id "
                "WHERE source_dag_id = ? AND source_run_id = ?",
                dag_run,
            )
            return DagRunResult(
                str(run.state),
                {(task, index): state for task, index, state, _ in tasks},
                {(task, index): json.loads(value) for key, task, index, value in xcoms if key == "return_value"},
                {name: json.loads(extra) for name, extra in events},
                {(task, index): label for task, index, _, label in tasks},
                {(task, index): json.loads(value) for key, task, index, value in xcoms if key.startswith("_link_")},
            )

    return run_dag


def test_the_example_syncs_each_ml_repo_and_verifies_the_result(env: SyncEnv, run_dag: RunDag) -> None:
    result = run_dag("truefoundry_registry")
    assert result.state == "success"
    assert {task: state for task, state in result.tasks.items() if state != "success"} == {}
    assert result.tasks.keys() == {("list_ml_repos", -1), ("sync", 0), ("sync", 1), ("sync", 2), ("verify", -1)}
    assert env.held() == env.served()
    proof = result.xcoms["verify", -1]["verification"]
    assert (proof["ml_repos"], proof["vanished"], proof["compared"]) == (3, [], True)
    assert (proof["models"], proof["model_versions"]) == (12, 36)
    assert {row["scope"] for row in env.rows(SyncScope)} == {"all", *(f'{{"ml_repos":["{n}"]}}' for n in (1, 2, 3))}


def test_verify_reads_no_version_again(env: SyncEnv, run_dag: RunDag) -> None:
    proof = run_dag().xcoms["verify", -1]
    assert (proof["plan"]["versions"], proof["model_versions"]["seen"], proof["models"]["unchanged"]) == ("none", 0, 12)


def test_only_the_verify_task_emits_asset_events(env: SyncEnv, run_dag: RunDag) -> None:
    result = run_dag()
    assert result.events.keys() == {f"registry_db/{table}" for table in TABLES}
    synced = [result.xcoms["sync", index]["run_id"] for index in range(3)]
    for extra in result.events.values():
        assert extra["run_ids"] == [*synced, result.xcoms["verify", -1]["run_id"]]


def test_a_second_run_copies_the_changes(env: SyncEnv, run_dag: RunDag) -> None:
    run_dag()
    env.registry.add_version(env.registry.ids("models")[0])
    env.registry.delete_version(env.registry.ids("model-versions")[3])
    fourth = env.registry.add_ml_repo()
    env.registry.add_version(env.registry.add_model(fourth))
    result = run_dag()
    assert result.state == "success"
    assert env.held() == env.served()
    assert result.xcoms["sync", 3]["ml_repo_ids"] == [fourth]


def test_a_deleted_ml_repo_is_marked_as_deleted_once_the_limit_is_disabled(env: SyncEnv, run_dag: RunDag) -> None:
    run_dag()
    env.registry.delete_ml_repo("2")
    refused = run_dag()
    assert (refused.state, refused.tasks["verify", -1], refused.events) == ("failed", "failed", {})
    assert len(env.rows(Model, Model.deleted_at.is_not(None))) == 0
    allowed = run_dag(allow_mass_delete=True)
    assert allowed.state == "success"
    assert env.row(MlRepo, MlRepo.deleted_at.is_not(None))["id"] == "2"
    assert env.held() == env.served()


def test_the_tasks_can_be_a_group_of_another_dag(env: SyncEnv, run_dag: RunDag) -> None:
    result = run_dag("grouped")
    assert result.state == "success"
    assert result.tasks == {
        ("registry.list_ml_repos", -1): "success",
        **{("registry.sync", index): "success" for index in range(3)},
        ("registry.verify", -1): "success",
        ("use", -1): "success",
    }
    assert env.held() == env.served()


def test_all_tasks_of_a_branch_that_was_not_chosen_are_skipped(env: SyncEnv, run_dag: RunDag) -> None:
    result = run_dag("branched")
    assert result.state == "success"
    assert result.tasks == {
        ("choose", -1): "success",
        ("other", -1): "success",
        ("registry.list_ml_repos", -1): "skipped",
        ("registry.sync", -1): "skipped",
        ("registry.verify", -1): "skipped",
    }


def test_tasks_are_named_after_their_ml_repos_and_link_to_the_control_plane(env: SyncEnv, run_dag: RunDag) -> None:
    result = run_dag()
    names = [str(each["manifest"]["name"]) for each in env.registry.records("ml-repos")]
    assert [result.labels["sync", index] for index in range(3)] == names
    assert result.links == dict.fromkeys(result.tasks, env.plane.url)


def test_full_compares_every_version_once(env: SyncEnv, run_dag: RunDag) -> None:
    run_dag()
    result = run_dag(full=True)
    assert result.state == "success"
    modes = {row["id"]: row["mode"] for row in env.rows(SyncRun)}
    assert [modes[result.xcoms["sync", index]["run_id"]] for index in range(3)] == ["full"] * 3
    assert modes[result.xcoms["verify", -1]["run_id"]] == "incremental"


def test_a_run_for_some_ml_repos_changes_no_other(env: SyncEnv, run_dag: RunDag) -> None:
    run_dag()
    runs, scope = len(env.rows(SyncRun)), env.row(SyncScope, SyncScope.scope == "all")
    for model_id in env.registry.ids("models"):
        env.registry.add_version(model_id)
    env.registry.delete_ml_repo("3")
    result = run_dag(ml_repos=["2"])
    assert result.state == "success"
    assert result.tasks.keys() == {("list_ml_repos", -1), ("sync", 0), ("verify", -1)}
    run_id = result.xcoms["sync", 0]["run_id"]
    assert {(row["run_id"], row["kind"]) for row in env.rows(Change, Change.kind == "created")} == {(run_id, "created")}
    assert len(env.rows(SyncRun)) == runs + 1
    assert env.row(SyncScope, SyncScope.scope == "all") == scope
    assert env.rows(MlRepo, MlRepo.deleted_at.is_not(None)) == []
    assert result.xcoms["verify", -1]["ml_repo_ids"] == ["2"]
    assert result.xcoms["verify", -1]["verification"]["ml_repos"] == 1
    assert {tuple(extra["run_ids"]) for extra in result.events.values()} == {(run_id,)}


def test_an_unknown_ml_repo_fails_the_run_and_syncs_nothing(env: SyncEnv, run_dag: RunDag) -> None:
    result = run_dag(ml_repos=["2", "77"])
    assert (result.state, result.tasks["list_ml_repos", -1], result.tasks["verify", -1]) == (
        "failed",
        "failed",
        "failed",
    )
    assert env.rows(SyncRun) == []


def test_an_ml_repo_deleted_after_the_list_does_not_fail_verify(env: SyncEnv, run_dag: RunDag) -> None:
    list_numbers = iter(range(100))

    def delete_after_first_list(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        if path.endswith("/ml-repos") and next(list_numbers) == 1:  # the task list_ml_repos reads the first list
            env.registry.delete_ml_repo("3")

    env.plane.before_request = delete_after_first_list
    result = run_dag()
    assert (result.tasks["sync", 2], result.tasks["verify", -1]) == ("skipped", "success")
    assert result.xcoms["verify", -1]["verification"]["vanished"] == ["3"]
    assert env.held() == env.served()


def test_an_ml_repo_that_was_not_synced_fails_verify_and_deletes_nothing(env: SyncEnv, run_dag: RunDag) -> None:
    run_dag()
    env.registry.delete_model(env.registry.ids("models")[0])
    env.registry.put_raw("models", "odd", {"id": "odd", "ml_repo_id": "2", "updated_at": 5})
    before = len(env.rows(SyncRun))
    result = run_dag(allow_mass_delete=True)  # for the deleted model in ML repo 1
    assert (result.state, result.tasks["sync", 1], result.tasks["verify", -1]) == ("failed", "failed", "failed")
    assert (result.tasks["sync", 0], result.tasks["sync", 2], result.events) == ("success", "success", {})
    assert len(env.rows(SyncRun)) == before + 3  # the verify task started no run


def test_several_ml_repos_can_be_synced_by_one_task(env: SyncEnv, run_dag: RunDag) -> None:
    for _ in range(5):
        env.registry.add_ml_repo()
    result = run_dag("batched")
    batches = [summary["ml_repo_ids"] for (task, _), summary in result.xcoms.items() if task == "sync"]
    assert result.state == "success"
    assert sorted(each for batch in batches for each in batch) == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert 1 < len(batches) < 8
    assert env.held() == env.served()


def test_a_registry_without_ml_repos_is_verified_too(run_dag: RunDag, env: SyncEnv) -> None:
    env.plane.registry = Registry(0)
    result = run_dag()
    assert (result.state, result.tasks["verify", -1]) == ("success", "success")
    assert result.xcoms["verify", -1]["verification"]["ml_repos"] == 0


def test_the_external_python_example_runs_in_a_separate_environment(
    env: SyncEnv, run_dag: RunDag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    monkeypatch.setenv("TFY_HOST", env.plane.url)
    monkeypatch.setenv("TFY_API_KEY_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("TFY_ETL_DATABASE_URL", env.url)
    result = run_dag("truefoundry_registry_elsewhere")
    assert result.state == "success"
    assert result.xcoms["sync", -1]["models"]["inserted"] == 12
    assert env.held() == env.served()

    with Store(env.url) as store:
        store.lock(ALL_REPOS, 0)
        assert run_dag("truefoundry_registry_elsewhere").tasks == {("sync", -1): "skipped"}


def test_airflow_stores_and_logs_no_token(
    run_dag: RunDag, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run_dag()
    stored = b"".join(path.read_bytes() for path in HOME.rglob("*") if path.is_file())
    output = "".join(capfd.readouterr())
    assert b"list_ml_repos" in stored
    assert "versions …" in output
    assert TOKEN.encode() not in stored
    assert TOKEN not in output + caplog.text
