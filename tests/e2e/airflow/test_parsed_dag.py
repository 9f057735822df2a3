"""The DAG as Airflow parses it, without a run."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl.airflow.dags import registry_dag
from etl.errors import ConfigError

RUN_ONLY_MODULES = {
    "sqlalchemy",
    "alembic",
    "psycopg",
    "msgspec",
    "stamina",
    "etl.sync",
    "etl.store",
    "etl.source",
    "etl.records",
}

_PRINT_IMPORTS = """
import sys, airflow.sdk, airflow.sdk.log, airflow.sdk.exceptions
before = set(sys.modules)
import etl.airflow.example_dags.truefoundry_registry as example
from tests.support.paths import ROOT
print(example.dag.dag_id, *sorted(set(sys.modules) - before))
"""

_PRINT_START_DATES = """
from etl.airflow.example_dags import truefoundry_registry, truefoundry_registry_elsewhere
for each in (truefoundry_registry, truefoundry_registry_elsewhere):
    print(each.dag.start_date.timestamp())
"""


def test_parsing_the_dag_imports_no_module_that_only_a_run_needs() -> None:
    done = subprocess.run([sys.executable, "-c", _PRINT_IMPORTS], capture_output=True, text=True, check=True)
    dag_id, *modules = done.stdout.split()
    assert dag_id == "truefoundry_registry"
    assert RUN_ONLY_MODULES & set(modules) == set()
    assert {"etl.airflow.dags", "etl.airflow.operators"} <= set(modules)


def test_the_dags_start_at_midnight_utc_whatever_the_default_timezone() -> None:
    environment = os.environ | {"AIRFLOW__CORE__DEFAULT_TIMEZONE": "America/New_York"}
    command = [sys.executable, "-c", _PRINT_START_DATES]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert set(done.stdout.split()) == {str(datetime(2026, 1, 1, tzinfo=UTC).timestamp())}


def test_the_dag_has_three_tasks_and_maps_the_sync() -> None:
    dag = registry_dag(database_conn_id="registry_db", max_active_syncs=4, pool="registry")
    assert set(dag.task_ids) == {"list_ml_repos", "sync", "verify"}
    assert dag.get_task("sync").is_mapped
    assert dag.get_task("sync").upstream_task_ids == {"list_ml_repos"}
    assert dag.get_task("verify").upstream_task_ids == {"list_ml_repos", "sync"}
    assert (dag.get_task("sync").max_active_tis_per_dag, dag.get_task("sync").pool) == (4, "registry")


def test_the_dag_documents_its_tasks_and_its_timeout_and_tags_can_be_changed() -> None:
    dag = registry_dag(database_conn_id="registry_db")
    assert all(f"`{name}`" in str(dag.doc_md) for name in (*dag.task_ids, *dag.params))
    assert (dag.dagrun_timeout, dag.tags) == (timedelta(hours=24), {"tfy-etl", "truefoundry"})
    assert set(dag.params) == {"full", "ml_repos", "allow_mass_delete"}
    changed = registry_dag(database_conn_id="registry_db", dagrun_timeout=timedelta(hours=1), tags=["mine"])
    assert (changed.dagrun_timeout, changed.tags) == (timedelta(hours=1), {"mine"})


def test_parallel_syncs_share_the_request_rate_and_verify_gets_all_of_it() -> None:
    dag = registry_dag(database_conn_id="registry_db", max_active_syncs=4, options={"requests_per_second": "10"})
    assert dag.get_task("sync").partial_kwargs["options"]["requests_per_second"] == 2.5
    assert dag.get_task("verify").options["requests_per_second"] == "10"


def test_a_request_rate_that_cannot_be_shared_fails_when_the_dag_is_parsed() -> None:
    with pytest.raises(ConfigError, match="Invalid requests_per_second"):
        registry_dag(database_conn_id="registry_db", options={"requests_per_second": "{{ params.rate }}"})


@pytest.mark.parametrize("value", [True, "{{ params.dry_run }}"])
def test_a_dag_with_dry_run_fails_when_it_is_parsed(value: Any) -> None:
    with pytest.raises(ConfigError, match="remove dry_run from its options"):
        registry_dag(database_conn_id="registry_db", options={"dry_run": value})
