"""The example DAG by `dag.test()`: every task in this process, over the simulator, into PostgreSQL."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, DagRunState

from etl.airflow import example_dags
from etl.airflow.dags import registry_dag
from etl.models import MlRepo, Model, SyncRun, SyncScope
from tests.airflow.conftest import Connect
from tests.mirror import TOKEN, Mirror

EXAMPLE = Path(str(example_dags.__file__)).with_name("truefoundry_registry.py")
HEAVY = {"sqlalchemy", "alembic", "psycopg", "msgspec", "stamina", "etl.sync", "etl.store", "etl.source", "etl.records"}

_IMPORTED = """
import sys, airflow.sdk, airflow.sdk.log, airflow.sdk.exceptions
before = set(sys.modules)
import etl.airflow.example_dags.truefoundry_registry as example
print(example.dag.dag_id, *sorted(set(sys.modules) - before))
"""


def test_reading_the_dag_imports_nothing_that_only_a_run_needs() -> None:
    done = subprocess.run([sys.executable, "-c", _IMPORTED], capture_output=True, text=True, check=True)
    dag_id, *modules = done.stdout.split()
    assert dag_id == "truefoundry_registry"
    assert HEAVY & set(modules) == set()
    assert {"etl.airflow.dags", "etl.airflow.operators"} <= set(modules)


def test_the_dag_is_three_tasks_of_which_one_is_mapped() -> None:
    dag = registry_dag(database_conn_id="registry_db", at_once=4, pool="registry")
    assert set(dag.task_ids) == {"list_ml_repos", "sync", "prove"}
    assert dag.get_task("sync").is_mapped
    assert dag.get_task("sync").upstream_task_ids == {"list_ml_repos"}
    assert dag.get_task("prove").upstream_task_ids == {"list_ml_repos", "sync"}
    assert (dag.get_task("sync").max_active_tis_per_dag, dag.get_task("sync").pool) == (4, "registry")
