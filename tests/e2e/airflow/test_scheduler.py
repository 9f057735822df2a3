"""The DAG on a full Airflow: scheduler, DAG processor, API server; LocalExecutor, then Celery with two workers."""

import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

from etl.models import Model, SyncRun
from etl.simulator import Registry
from tests.support.airflow_installation import Installation, postgres_connection
from tests.support.databases import new_database
from tests.support.external_tools import require_tool
from tests.support.patience import patience
from tests.support.sync_env import TOKEN, SyncEnv, sync_env

# Two executors, dozens of tasks of some seconds each, and a slow start of Airflow.
pytestmark = pytest.mark.timeout(1200)

SCREENSHOT = os.environ.get("TFY_ETL_TEST_SCREENSHOT")
"""The file for a screenshot of the page, such as docs/pictures/airflow.png."""

_DAG_FILE = """
from datetime import timedelta
from airflow.sdk import DAG, BaseOperator
from etl.airflow.dags import registry_dag
from etl.airflow.lineage import registry_asset

registry = registry_dag(
    "registry", database_conn_id="registry_db", schedule=None, retries=2, retry_delay=timedelta(seconds=1),
    lock_retry_delay=timedelta(seconds=1), options={"max_retries": 0, "page_size": 20, "timeout": 1200},
)

class ReturnEvents(BaseOperator):
    def execute(self, context):
        return [event.extra for events in context["triggering_asset_events"].values() for event in events]

with DAG("starts_on_data", schedule=[registry_asset("registry_db", "models")], catchup=False):
    ReturnEvents(task_id="look")
"""

# Airflow notices new DAGs and stopped tasks sooner than usual.
_SETTINGS = {
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}


@pytest.fixture(scope="module")
def plane(postgres_url: str, migrated_template: str) -> Iterator[SyncEnv]:
    """Six ML repos: the registry that all tests here share and change."""
    registry = Registry.generate(seed=11, ml_repos=6, models=48, versions=2, metrics=2)
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url, registry) as env:
        yield env


@pytest.fixture(scope="module")
def airflow(plane: SyncEnv, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    connections = {
        "truefoundry_default": {"conn_type": "truefoundry", "host": plane.plane.url, "password": TOKEN},
        "registry_db": postgres_connection(plane.url),
    }
    home = tmp_path_factory.mktemp("airflow") / "home"
    transport = json.dumps({"type": "file", "log_file_path": str(home / "lineage.jsonl"), "append": True})
    with new_database(postgres_url) as metadata:
        settings = _SETTINGS | {"AIRFLOW__OPENLINEAGE__TRANSPORT": transport}
        installation = Installation(home, metadata, connections, settings)
        (home / "dags" / "registry.py").write_text(_DAG_FILE, encoding="utf-8")
        with installation.running():
            yield installation


@pytest.fixture(scope="class")
def local(airflow: Installation) -> Iterator[Installation]:
    with airflow.scheduler("LocalExecutor"):
        yield airflow


@pytest.fixture(scope="class")
def first_run(local: Installation) -> str:
    """The id of a finished run of the DAG."""
    run_id = local.trigger("registry")
    assert local.wait_for_end("registry", run_id) == "success", local.last_output()
    return run_id


@contextmanager
def paused_run(plane: SyncEnv, ml_repo: str) -> Iterator[threading.Event]:
    """Block the first run over an ML repo at its models; yield an event that is set once it waits."""
    paused, release = threading.Event(), threading.Event()

    def pause(_number: int, path: str, query: dict[str, list[str]]) -> None:
        if path.endswith("/models") and query.get("ml_repo_id") == [ml_repo] and not paused.is_set():
            paused.set()
            release.wait()

    plane.plane.before_request = pause
    try:
        yield paused
    finally:
        plane.plane.before_request = None
        release.set()


def last_runs_of(plane: SyncEnv, ml_repo: str, number: int) -> list[tuple[str, str | None]]:
    """The states of the last runs over an ML repo, oldest first."""
    of_repo = [run for run in plane.rows(SyncRun) if run["scope"] == {"ml_repos": [ml_repo]}]
    return [(run["status"], run["error"]) for run in sorted(of_repo, key=lambda run: run["started_at"])[-number:]]


class TestByLocalExecutor:
    def test_a_run_triggered_by_the_api_copies_the_registry_and_triggers_dependent_dags(
        self, local: Installation, first_run: str, plane: SyncEnv
    ) -> None:
        assert plane.held() == plane.served()
        assert len(local.tasks("registry", first_run)) == 8
        proof = local.xcom("registry", first_run, "verify")
        assert (proof["verification"]["ml_repos"], proof["verification"]["models"], proof["plan"]["versions"]) == (
            6,
            48,
            "none",
        )

        runs = local.until(lambda: local.call("GET", "dags/starts_on_data/dagRuns")["dag_runs"])
        assert [each["run_type"] for each in runs] == ["asset_triggered"]
        assert local.wait_for_end("starts_on_data", runs[0]["dag_run_id"]) == "success"
        assert local.xcom("starts_on_data", runs[0]["dag_run_id"], "look")[0]["run_ids"][-1] == proof["run_id"]

    def test_the_page_of_the_run_shows_each_task_and_that_it_succeeded(
        self, local: Installation, first_run: str
    ) -> None:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=require_tool("chromium", "chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1400, "height": 760})
            page.set_default_timeout(patience(120) * 1000)
            page.goto(f"{local.url}/dags/registry/runs/{first_run}")
            shown = [page.get_by_text(name).first for name in ("list_ml_repos", "sync", "verify", "Success")]
            for each in shown:
                each.wait_for()
            if SCREENSHOT:
                page.wait_for_load_state("networkidle")
                page.screenshot(path=SCREENSHOT)
            browser.close()

    def test_a_task_whose_process_is_killed_is_retried_and_leaves_no_partial_data(
        self, local: Installation, plane: SyncEnv
    ) -> None:
        plane.registry.add_version(plane.registry.ids("models")[0])
        with paused_run(plane, "1") as paused:
            run_id = local.trigger("registry")
            local.until(paused.is_set)
            os.kill(local.tasks("registry", run_id)["sync", 0]["pid"], signal.SIGKILL)
        assert local.wait_for_end("registry", run_id) == "success", local.last_output()
        assert local.tasks("registry", run_id)["sync", 0]["try_number"] == 2
        assert last_runs_of(plane, "1", 2) == [("interrupted", "The process died."), ("succeeded", None)]
        assert plane.held() == plane.served()

    def test_a_stopped_task_interrupts_its_run_and_can_be_cleared(self, local: Installation, plane: SyncEnv) -> None:
        plane.registry.add_version(plane.registry.ids("models")[1])
        before = plane.rows(Model)
        with paused_run(plane, "2") as paused:
            run_id = local.trigger("registry")
            local.until(paused.is_set)
            stop = {"new_state": "failed"}
            local.call("PATCH", f"dags/registry/dagRuns/{run_id}/taskInstances/sync/1", stop)
            local.until(lambda: last_runs_of(plane, "2", 1) == [("interrupted", "Interrupted: no record was written.")])
        assert local.wait_for_end("registry", run_id) == "failed", local.last_output()
        assert "1 of 6 ML repos have no complete sync in this DAG run: 2." in local.log(
            "registry", run_id, "verify", -1, 1
        )
        unchanged = [row for row in before if row["ml_repo_id"] == "2"]
        assert plane.rows(Model, Model.ml_repo_id == "2") == unchanged

        clear = {"dry_run": False, "dag_run_id": run_id, "only_failed": True, "include_downstream": True}
        local.call("POST", "dags/registry/clearTaskInstances", clear)
        local.until(lambda: local.call("GET", f"dags/registry/dagRuns/{run_id}")["state"] != "failed")
        assert local.wait_for_end("registry", run_id) == "success", local.last_output()
        assert plane.held() == plane.served()

    @pytest.mark.usefixtures("first_run")
    def test_openlineage_gets_the_inputs_and_outputs_of_each_run(self, local: Installation, plane: SyncEnv) -> None:
        events = (local.home / "lineage.jsonl").read_text(encoding="utf-8")
        assert re.search(r'"namespace": ?"' + re.escape(plane.plane.url), events)
        assert re.search(r'"name": ?"test_\w+\.public\.model_versions"', events)

    @pytest.mark.usefixtures("first_run")
    def test_the_token_is_in_no_log_and_not_in_the_database(self, local: Installation) -> None:
        stored = local.stored_content()
        assert "versions …".encode() in stored
        assert b"COPY public.task_instance " in stored
        assert TOKEN.encode() not in stored


def test_the_same_dag_runs_on_celery_and_both_workers_take_part(airflow: Installation, plane: SyncEnv) -> None:
    for model_id in plane.registry.ids("models")[::8]:
        plane.registry.add_version(model_id)
    with airflow.celery("first", "second"):
        run_id = airflow.trigger("registry")
        assert airflow.wait_for_end("registry", run_id) == "success", airflow.last_output()
    assert {each["hostname"] for each in airflow.tasks("registry", run_id).values()} == {"first", "second"}
    assert plane.held() == plane.served()
    assert TOKEN.encode() not in airflow.stored_content()
