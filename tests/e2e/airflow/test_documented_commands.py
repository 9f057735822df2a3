"""Run the commands of docs/how-to/airflow.md in their order, with the hosts and names of these tests."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.airflow_installation import postgres_connection
from tests.support.databases import new_database
from tests.support.paths import ROOT
from tests.support.patience import patience
from tests.support.sync_env import TOKEN, SyncEnv, sync_env

PAGE = (ROOT / "docs" / "how-to" / "airflow.md").read_text(encoding="utf-8")

# Each command of Airflow takes seconds to start, and one creates its database.
pytestmark = pytest.mark.timeout(600)

Run = Callable[[str], str]


def documented(pattern: str) -> str:
    """The only part of the page that matches the group of the pattern, on one line."""
    (found,) = re.findall(pattern, PAGE, re.MULTILINE | re.DOTALL)
    return " ".join(found.split())


@pytest.fixture
def empty(postgres_url: str) -> Iterator[SyncEnv]:
    """A control plane, and a PostgreSQL without tables."""
    with new_database(postgres_url) as url, sync_env(url) as env:
        yield env


@pytest.fixture
def shell(empty: SyncEnv, tmp_path: Path) -> Run:
    """Run a command of the page in a separate Airflow, and return its output."""
    database = postgres_connection(empty.url)
    names = {"db.example": database["host"], "etl": database["login"], "registry": database["schema"]}
    connection = json.loads(documented(r"`AIRFLOW_CONN_TRUEFOUNDRY_DEFAULT='(.*?)'`"))
    assert connection.keys() == {"conn_type", "host", "password"}
    (tmp_path / "dags").mkdir()
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW_CONN_TRUEFOUNDRY_DEFAULT": json.dumps(connection | {"host": empty.plane.url, "password": TOKEN}),
        "TFY_ETL_DATABASE_URL": empty.url,
        "PGPORT": str(database["port"]),
        "PGPASSWORD": database["password"] or "",
    }

    def run(command: str) -> str:
        words = [names.get(word, word) for word in shlex.split(command)]
        done = subprocess.run(
            words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=patience(300), check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def test_the_documented_extras_install_airflow_the_driver_and_both_database_providers() -> None:
    extras = documented(r"^pip install '\.\[([a-z,]+)\]'").split(",")
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    installed = {Requirement(each).name for extra in extras for each in optional[extra]}
    assert installed == {
        "apache-airflow", "apache-airflow-providers-postgres", "apache-airflow-providers-sqlite", "psycopg",
    }  # fmt: skip


def test_the_documented_commands_sync_into_an_empty_database(shell: Run, empty: SyncEnv, tmp_path: Path) -> None:
    shell("airflow db migrate")
    shell(documented(r"^(tfy-etl db upgrade) "))
    shell(documented(r"`(airflow connections add [^`]+)`"))
    (stored,) = json.loads(shell("airflow connections get registry_db --output json"))
    assert stored["conn_type"] == "postgres"
    dag = re.findall(r"```python\n(from etl.airflow.dags import registry_dag\n.*?)```", PAGE, re.DOTALL)[0]
    (tmp_path / "dags" / "registry.py").write_text(dag, encoding="utf-8")
    shell(documented(r"`(airflow dags test [^`]+)`"))
    assert empty.held() == empty.served()
