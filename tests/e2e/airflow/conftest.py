"""Airflow's home folder, its connections in the environment, and a registry with PostgreSQL."""

import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.airflow_installation import postgres_connection
from tests.support.databases import new_database
from tests.support.sync_env import TOKEN, SyncEnv, sync_env

# `make test` runs without Airflow. `make test-airflow` names this folder, and fails if it has no tests.
collect_ignore_glob = [] if importlib.util.find_spec("airflow") else ["test_*.py"]

# Airflow reads its configuration when it is imported.
_HOME = tempfile.mkdtemp(prefix="tfy-etl-airflow-")
os.environ |= {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": f"{_HOME}/dags",
    "AIRFLOW__OPENLINEAGE__DISABLED": "True",
}

Connect = Callable[..., str]


def pytest_sessionfinish() -> None:
    """Remove the home of Airflow."""
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Define a connection in Airflow, and return its id."""

    def connect(conn_id: str, **fields: Any) -> str:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
        return conn_id

    return connect


@pytest.fixture
def env(postgres_url: str, migrated_template: str, connect: Connect) -> Iterator[SyncEnv]:
    """Three ML repos behind a control plane, an empty PostgreSQL, and the connections `plane` and `registry_db`."""
    with new_database(postgres_url, template=migrated_template) as url, sync_env(url) as env:
        connect("plane", conn_type="truefoundry", host=env.plane.url, password=TOKEN)
        connect("registry_db", **postgres_connection(url))
        yield env
