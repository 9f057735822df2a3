"""docs/dbt as a user runs it: dbt in a separate environment, on a registry after two runs."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import make_url

from tests.support.databases import migrate
from tests.support.paths import ROOT
from tests.support.postgres_roles import shared_database
from tests.support.sync_env import SyncEnv, Tables, sync_env

# `make test-dbt` sets this path; `make test` runs without dbt.
DBT = os.environ.get("DBT")
collect_ignore_glob = [] if DBT else ["test_*.py"]

PROJECT = ROOT / "docs" / "dbt"
NO_COLOURS = ("--no-use-colors", "--no-version-check")


@dataclass(frozen=True)
class Project:
    """A copy of docs/dbt for the database of `env`; `writes_to` is the URL of the marts."""

    folder: Path
    environment: dict[str, str]
    env: SyncEnv
    writes_to: str

    def run(self, *arguments: str, exit_code: int = 0) -> str:
        """Run dbt, and return its output; fails on another exit code."""
        assert DBT
        done = subprocess.run(
            [DBT, *NO_COLOURS, *arguments, "--profiles-dir", "."],
            cwd=self.folder,
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done.stdout

    def artifact(self, name: str) -> Any:
        """Load a JSON file that dbt wrote."""
        return json.loads((self.folder / "target" / f"{name}.json").read_text(encoding="utf-8"))


class BuiltProject(NamedTuple):
    """A build of a project and its output; `before` are the registry tables before it."""

    project: Project
    output: str
    results: list[dict[str, Any]]
    before: Tables


@pytest.fixture
def project(dialect: str, postgres_url: str, tmp_path: Path) -> Iterator[Project]:
    """A project, on a registry after a first load and a run with changes."""
    with _project(dialect, postgres_url, tmp_path / "project") as project:
        yield project


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def built(
    request: pytest.FixtureRequest, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BuiltProject]:
    """A built project, shared by tests that change nothing."""
    with _project(request.param, postgres_url, tmp_path_factory.mktemp("built") / "project") as project:
        before = project.env.dump()
        output = project.run("--warn-error", "build")
        yield BuiltProject(project, output, project.artifact("run_results")["results"], before)


@contextmanager
def _project(dialect: str, server: str, folder: Path) -> Iterator[Project]:
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("target", "logs"))
    with _on_sqlite(folder) if dialect == "sqlite" else _on_postgresql(folder, server) as project:
        _sync_twice(project.env)
        yield project


def _sync_twice(env: SyncEnv) -> None:
    registry = env.registry
    env.sync()
    model = registry.ids("models")[0]
    registry.set_tags(registry.add_version(model), ["prod", "stage=champion"])
    registry.set_tags(registry.add_version(model), [])
    registry.delete_model(registry.ids("models")[1])
    env.sync(allow_mass_delete=True)


@contextmanager
def _on_sqlite(folder: Path) -> Iterator[Project]:
    registry, marts = folder / "tfy-registry.db", folder / "analytics.db"
    migrate(f"sqlite:///{registry}")
    with sync_env(f"sqlite:///{registry}") as env:
        environment = {"DBT_TARGET": "sqlite", "REGISTRY_FILE": str(registry), "ANALYTICS_FILE": str(marts)}
        yield Project(folder, environment, env, f"sqlite:///{marts}")


@contextmanager
def _on_postgresql(folder: Path, server: str) -> Iterator[Project]:
    with shared_database(server) as shared:
        shared.make_roles()
        with sync_env(shared.url_of("etl")) as env:
            url = make_url(shared.url_of("dbt"))
            environment = {
                "DBT_TARGET": "postgres",
                "PGHOST": str(url.query.get("host") or url.host),
                "PGPORT": str(url.query.get("port") or url.port or 5432),
                "PGUSER": str(url.username),
                "PGPASSWORD": str(url.password),
                "PGDATABASE": str(url.database),
            }
            yield Project(folder, environment, env, f"{shared.url_of('dbt')}&options=-csearch_path%3Danalytics")
