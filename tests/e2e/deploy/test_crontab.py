"""The crontab of docs/deploy works for an ordinary user, in the environment of cron."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from etl.simulator import Registry, Simulator
from etl.store import ALL_REPOS, Store, open_readonly, runs
from tests.e2e.cli.commands import COMMAND, TOKEN
from tests.support.deploy_files import FOLDER, INSTALLED
from tests.support.external_tools import require_tool
from tests.support.patience import patience

CRONTAB = (FOLDER / "crontab").read_text().splitlines()
LINES = [line.split(None, 5)[5] for line in CRONTAB if line[:1] in {"*", *"0123456789"}]
ASSIGNMENTS = dict(line.split("=", 1) for line in CRONTAB if line[:4] == "TFY_")

# With the capability to read all files, because the tests' Python may be in a folder of root.
_AS_NOBODY = [
    "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
    "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search",
]  # fmt: skip


class User(NamedTuple):
    """A user with a crontab, and the control plane that it names."""

    name: str
    home: Path
    plane: Simulator

    def cron(self, line: str) -> str:
        """Run a line as cron does, and return its output, which cron would mail."""
        variables = {
            "HOME": str(self.home),
            "LOGNAME": self.name,
            "SHELL": "/bin/sh",
            "PATH": "/usr/bin:/bin",
            **ASSIGNMENTS,
        }
        environment = [f"{name}={value}" for name, value in variables.items()]
        as_user = _AS_NOBODY if self.name == "nobody" else []
        done = subprocess.run(
            [*as_user, "/usr/bin/env", "-i", *environment, "/bin/sh", "-c", line.replace(INSTALLED, COMMAND)],
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=patience(),
            check=False,
        )
        return done.stdout + done.stderr


@pytest.fixture(scope="module", autouse=True)
def logrotate() -> None:
    require_tool("logrotate", "logrotate")


@pytest.fixture
def user() -> Iterator[User]:
    """An unprivileged user if the tests run as root, else the current user."""
    name = "nobody" if os.geteuid() == 0 else _own_user()
    home = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    folder = home / "registry"
    folder.mkdir(mode=0o700)
    (folder / "token").touch(mode=0o600)
    (folder / "token").write_text(TOKEN)
    with Simulator(Registry.generate(1, ml_repos=2, models=6, versions=2, metrics=1), token=TOKEN) as plane:
        settings = (FOLDER / "tfy-etl.toml").read_text().replace("https://your-control-plane.example", plane.url)
        (folder / "tfy-etl.toml").write_text(settings)
        (folder / "logrotate.conf").write_text((FOLDER / "logrotate.conf").read_text().replace("/home/etl", str(home)))
        for path in (home, folder, *folder.iterdir()):
            shutil.chown(path, name)
        yield User(name, home, plane)
    shutil.rmtree(home)


def _own_user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def test_successful_lines_print_nothing(user: User) -> None:
    assert [user.cron(line) for line in LINES] == [""] * 4
    assert [log.read_text() for log in sorted((user.home / "registry").glob("*.log"))] == ["", ""]
    with open_readonly(f"sqlite:///{user.home}/registry/registry.db") as connection:
        assert [run["status"] for run in runs.latest(connection, 9)] == ["succeeded"]
    assert {path.owner() for path in (user.home / "registry").iterdir()} == {user.name}


def test_overlapping_runs_print_nothing_and_failed_runs_print_an_error(user: User) -> None:
    sync, check, *_ = LINES
    with Store(f"sqlite:///{user.home}/registry/registry.db") as store:
        store.lock(ALL_REPOS, 0)
        for path in (user.home / "registry").iterdir():
            shutil.chown(path, user.name)
        assert user.cron(sync) == ""
    assert "Another run is in progress" in (user.home / "registry" / "sync.log").read_text()
    (user.home / "registry" / "token").write_text("not-the-token")
    head, reason = user.cron(sync).splitlines()
    assert head == "a run failed; the last line of ~/registry/sync.log:"
    assert reason.startswith("Error: ")
    assert user.cron(check).startswith("TFY-ETL ")


def test_logs_are_rotated_and_the_next_run_starts_a_new_log(user: User) -> None:
    sync, *_, rotate = LINES
    log = user.home / "registry" / "sync.log"
    (user.home / "registry" / "token").write_text("not-the-token")
    user.cron(sync)
    before = log.read_text()
    assert user.cron(rotate.replace("logrotate ", "logrotate --force ", 1)) == ""
    assert (log.exists(), log.with_name("sync.log.1").read_text()) == (False, before)
    user.cron(sync)
    assert log.read_text().count("Error: ") == 1
