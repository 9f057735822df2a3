"""AssetWatcher and the sensor on a full Airflow; one test kills the triggerer."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etl.airflow import example_dags
from tests.support.airflow_installation import Installation, postgres_connection
from tests.support.databases import new_database
from tests.support.sync_env import TOKEN, SyncEnv, sync_env

# A slow start of Airflow, and waits of its triggerer.
pytestmark = pytest.mark.timeout(600)

EXAMPLE = Path(str(example_dags.__file__)).with_name("truefoundry_registry_events.py")
WATCHED, SENSED = "truefoundry_production_moved", "truefoundry_new_version"


@pytest.fixture(scope="module")
def plane(postgres_url: str, migrated_template: str) -> Iterator[SyncEnv]:
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url) as env:
        env.sync()
        yield env


@pytest.fixture(scope="module")
def airflow(plane: SyncEnv, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    connections = {
        "truefoundry_default": {"conn_type": "truefoundry", "host": plane.plane.url, "password": TOKEN},
        "registry_db": postgres_connection(plane.url),
    }
    with new_database(postgres_url) as metadata:
        installation = Installation(tmp_path_factory.mktemp("airflow") / "home", metadata, connections)
        # On a slow machine, the API server may answer the start of a task too late.
        installation.environment |= {
            "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "3",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        }
        text = EXAMPLE.read_text(encoding="utf-8")
        for original, replacement in (
            ('tag="production")', 'tag="production", poll_interval=1)'),
            ("new_versions=True,", "new_versions=True, poke_interval=1,"),
            ('"@hourly"', "None"),
            ('"@daily"', "None"),
        ):
            assert original in text
            text = text.replace(original, replacement)
        (installation.home / "dags" / EXAMPLE.name).write_text(text, encoding="utf-8")
        with installation.running(), installation.scheduler("LocalExecutor"):
            yield installation


def announcements(airflow: Installation) -> list[list[str]]:
    """The result of each run of the watching DAG, oldest first."""
    runs = airflow.call("GET", f"dags/{WATCHED}/dagRuns?order_by=run_after")["dag_runs"]
    ended = [airflow.wait_for_end(WATCHED, run["dag_run_id"]) for run in runs]
    assert set(ended) <= {"success"}, airflow.last_output()
    return [airflow.xcom(WATCHED, run["dag_run_id"], "announce") for run in runs]


def stored_positions(airflow: Installation) -> list[Any]:
    """The positions that Airflow stores with the watched asset."""
    found = airflow.call("GET", "assets?name_pattern=production_moved")["assets"]
    if not found:
        return []
    states = airflow.call("GET", f"assets/{found[0]['id']}/state-store")["asset_state_store"]
    return [each["value"] for each in states]


def move_tag(plane: SyncEnv, number: int) -> str:
    """Move the tag to a version, sync, and return the version's id."""
    version_id = plane.registry.ids("model-versions")[number]
    plane.registry.set_tags(version_id, ["production"])
    plane.sync()
    return version_id


def test_each_move_starts_one_run_although_the_triggerer_is_killed(airflow: Installation, plane: SyncEnv) -> None:
    airflow.until(lambda: WATCHED in {each["dag_id"] for each in airflow.call("GET", "dags")["dags"]})
    with airflow.part("triggerer", "--skip-serve-logs"):
        airflow.until(lambda: stored_positions(airflow) == [0])
        move_tag(plane, 0)
        airflow.until(lambda: len(announcements(airflow)) == 1)
        airflow.until(lambda: stored_positions(airflow) != [0])
    before = stored_positions(airflow)
    move_tag(plane, 1)
    with airflow.part("triggerer", "--skip-serve-logs") as triggerer:
        airflow.until(lambda: len(announcements(airflow)) == 2)
        airflow.until(lambda: stored_positions(airflow) != before)
        os.killpg(triggerer.pid, signal.SIGKILL)
    move_tag(plane, 2)
    with airflow.part("triggerer", "--skip-serve-logs"):
        airflow.until(lambda: len(announcements(airflow)) == 3)
    found = announcements(airflow)
    assert [len(each) for each in found] == [1, 1, 1]
    assert all("tag production added" in each for (each,) in found)
    assert len({each for (each,) in found}) == 3


def test_the_sensor_waits_in_the_triggerer_for_a_version_of_the_model(airflow: Installation, plane: SyncEnv) -> None:
    model_id = plane.registry.ids("models")[0]
    name = str(plane.registry.records("models")[0]["name"])
    with airflow.part("triggerer", "--skip-serve-logs"):
        run_id = airflow.trigger(SENSED, model=name)
        waiting = ("wait_for_version", -1)
        airflow.until(lambda: airflow.tasks(SENSED, run_id).get(waiting, {}).get("state") == "deferred")
        plane.registry.add_version(plane.registry.ids("models")[1])
        plane.sync()
        plane.registry.set_tags(plane.registry.add_version(model_id), None)
        plane.sync()
        assert airflow.wait_for_end(SENSED, run_id) == "success", airflow.last_output()
        event = airflow.xcom(SENSED, run_id, "wait_for_version")
        assert [each["sentence"] for each in event["changes"]] == [f"{name} v4: created"]

        again = airflow.trigger(SENSED, model=name)  # this run begins after the event of the last one
        airflow.until(lambda: airflow.tasks(SENSED, again).get(waiting, {}).get("state") == "deferred")
        plane.registry.add_version(model_id)
        plane.sync()
        assert airflow.wait_for_end(SENSED, again) == "success", airflow.last_output()
        assert airflow.xcom(SENSED, again, "wait_for_version")["after_change_id"] >= event["last_change_id"]


def test_the_token_is_in_no_log_nor_in_the_database(airflow: Installation) -> None:
    assert TOKEN.encode() not in airflow.stored_content()
