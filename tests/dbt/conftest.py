"""docs/dbt as a user runs it: a dbt in an environment of its own, on a registry that has seen a few runs."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from tests.analysts import shared_database
from tests.databases import migrate
from tests.mirror import Mirror, mirrored

# Where it is, `make test-dbt` says; `make test` runs without one.
DBT = os.environ.get("DBT")
collect_ignore_glob = [] if DBT else ["test_*.py"]

PROJECT = Path(__file__).parents[2] / "docs" / "dbt"
NO_COLOURS = ("--no-use-colors", "--no-version-check")


@dataclass(frozen=True)
class Project:
    """A copy of docs/dbt, set to a database that mirrors a control plane; `writes_to`: where the marts are read."""

    folder: Path
    environment: dict[str, str]
    mirror: Mirror
    writes_to: str

    def run(self, *arguments: str, exit_code: int = 0) -> str:
        """What dbt says, once it has ended as it should."""
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
        """What dbt has written for programs."""
        return json.loads((self.folder / "target" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def project(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """The registry was loaded, and has moved since."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("target", "logs"))
    with (_on_sqlite if dialect == "sqlite" else _on_postgresql)(request, folder) as project:
        _live(project.mirror)
        yield project


def _live(mirror: Mirror) -> None:
    registry = mirror.registry
    mirror.sync()
    model = registry.ids("models")[0]
    registry.set_tags(registry.add_version(model), ["prod", "stage=champion"])
    registry.set_tags(registry.add_version(model), [])
    registry.delete_model(registry.ids("models")[1])
    mirror.sync(allow_mass_delete=True)


@contextmanager
def _on_sqlite(_request: pytest.FixtureRequest, folder: Path) -> Iterator[Project]:
    registry, marts = folder / "tfy-registry.db", folder / "analytics.db"
    migrate(f"sqlite:///{registry}")
    with mirrored(f"sqlite:///{registry}") as mirror:
        yield Project(folder, {}, mirror, f"sqlite:///{marts}")


@contextmanager
def _on_postgresql(request: pytest.FixtureRequest, folder: Path) -> Iterator[Project]:
    with shared_database(request.getfixturevalue("postgres_url")) as shared:
        shared.make_roles()
        with mirrored(shared.url_of("etl")) as mirror:
            url = make_url(shared.url_of("dbt"))
            environment = {
                "DBT_TARGET": "postgres",
                "PGHOST": str(url.query.get("host") or url.host),
                "PGPORT": str(url.query.get("port") or url.port or 5432),
                "PGUSER": str(url.username),
                "PGPASSWORD": str(url.password),
                "PGDATABASE": str(url.database),
            }
            yield Project(folder, environment, mirror, f"{shared.url_of('dbt')}&options=-csearch_path%3Danalytics")
