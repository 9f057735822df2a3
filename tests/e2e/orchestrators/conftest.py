"""Dagster and Prefect run their examples, each installed in a separate environment."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from tests.e2e.cli.commands import COMMAND
from tests.support.deploy_files import FOLDER
from tests.support.patience import patience
from tests.support.sync_env import TOKEN, SyncEnv, sync_env

# `make test-orchestrators` sets this path; `make test` runs without them.
ORCHESTRATORS = os.environ.get("ORCHESTRATORS")
collect_ignore_glob = [] if ORCHESTRATORS else ["test_*.py"]


@dataclass(frozen=True)
class Orchestrator:
    """A copy of an example, without delays before retries, and the environment that it syncs."""

    name: str
    folder: Path
    env: SyncEnv

    RUN: ClassVar = {
        "dagster": ("-m", "dagster", "asset", "materialize", "--select", "*", "-f", "dagster_registry.py"),
        "prefect": ("-c", "import prefect_registry; prefect_registry.model_registry()"),
    }

    def run(self) -> tuple[bool, str]:
        """Run the example; return whether it succeeded, and the log."""
        variables = {
            "PATH": f"{self.folder}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "DAGSTER_HOME": str(self.folder),
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(round(patience(240))),
            "TFY_HOST": self.env.plane.url,
            "TFY_API_KEY": TOKEN,
            "TFY_ETL_DATABASE_URL": self.env.url,
            "TFY_ETL_MAX_RETRIES": "0",
        }
        done = subprocess.run(
            [f"{ORCHESTRATORS}/python", *self.RUN[self.name]],
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=patience(300),  # Prefect starts a server with each run
            check=False,
        )
        assert TOKEN not in done.stdout
        return done.returncode == 0, done.stdout

    @property
    def tries(self) -> int:
        """How often the example has started the command."""
        tries = self.folder / "tries"
        return len(tries.read_text()) if tries.exists() else 0


@pytest.fixture(params=sorted(Orchestrator.RUN))
def orchestrator(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> Iterator[Orchestrator]:
    """Each orchestrator in turn, with a registry to copy."""
    example = (FOLDER / f"{request.param}_registry.py").read_text()
    (tmp_path / f"{request.param}_registry.py").write_text(re.sub(r"(delay=|backoff\()60", r"\g<1>0", example))
    wrapper = tmp_path / "tfy-etl"
    wrapper.write_text(f'#!/bin/sh\nprintf . >> {tmp_path}/tries\nexec {COMMAND} "$@"\n')
    wrapper.chmod(0o755)
    file = shutil.copy(migrated_file, tmp_path / "registry.db")
    with sync_env(f"sqlite:///{file}") as env:
        yield Orchestrator(request.param, tmp_path, env)
