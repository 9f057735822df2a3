"""Commands and variables that the files of docs/deploy give to others are ours, and do what the files say."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from etl.cli.main import cli
from etl.settings import TOKEN_ENV, Settings, env_names
from etl.simulator import Registry, Simulator
from etl.store import ALL_REPOS, Store
from tests.e2e.cli.commands import COMMAND, TOKEN
from tests.support.deploy_files import FOLDER, INSTALLED, manifests, pods

CRONTAB = (FOLDER / "crontab").read_text().splitlines()
LINES = [line.split(None, 5)[5] for line in CRONTAB if line[:1] in {"*", *"0123456789"}]
VARIABLES = {line.partition("=")[0] for line in CRONTAB if re.match(r"[A-Z_]+=", line)}
KNOWN = {TOKEN_ENV} | {
    name for field in Settings.__dataclass_fields__ if field != "api_key" for name in env_names(field)
}


def of_shell(line: str) -> list[list[str]]:
    """The arguments of each call of ours in a line of a shell."""
    calls = re.findall(rf"{INSTALLED} ([^|>]*?)\s*(?:\d?>|\||$)", line)
    return [shlex.split(call) for call in calls]


def of_units() -> list[list[str]]:
    texts = [path.read_text() for path in FOLDER.glob("*.service")]
    return [
        shlex.split(call) for text in texts for call in re.findall(rf"^ExecStart={INSTALLED} (.*)$", text, re.MULTILINE)
    ]


ARGUMENTS = [
    *(call for line in LINES for call in of_shell(line)),
    *of_units(),
    *(container["args"] for pod in pods().values() for container in pod["containers"]),
]


def test_there_are_commands_of_each_kind() -> None:
    assert [len(LINES), len(of_units()), len(pods())] == [3, 2, 3]
    assert len(ARGUMENTS) == 8


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
def test_every_command_is_one_of_ours(arguments: list[str]) -> None:
    context = cli.make_context("tfy-etl", [*arguments], resilient_parsing=False)
    with context:
        command: click.Command = cli
        rest = [*context._protected_args, *context.args]
        while isinstance(command, click.Group):
            name, found, rest = command.resolve_command(context, rest)
            assert found is not None, name
            command = found
        command.make_context(command.name, rest, parent=context).close()


def test_every_variable_is_one_of_ours() -> None:
    config = next(each["data"] for each in manifests() if each["kind"] == "ConfigMap")
    named = {each["name"] for pod in pods().values() for container in pod["containers"] for each in container["env"]}
    of_files = {
        name
        for path in (*FOLDER.glob("*.service"), FOLDER / "Containerfile")
        for name in re.findall(r"\bTFY_[A-Z_]*[A-Z]\b", path.read_text())
    }
    found = VARIABLES | set(config) | named | of_files
    assert len(found) > 5
    assert found <= KNOWN


@pytest.fixture
def environment(tmp_path: Path, plane: Simulator) -> dict[str, str]:
    """What the crontab sets, for a plane and a database that are there."""
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    given = {
        "TFY_HOST": plane.url,
        "TFY_API_KEY_FILE": f"{tmp_path}/token",
        "TFY_ETL_DATABASE_URL": f"sqlite:///{tmp_path}/registry.db",
        "TFY_ETL_METRICS_FILE": f"{tmp_path}/tfy-etl.prom",
        "TFY_ETL_LOG_FORMAT": "json",
    }
    assert set(given) == VARIABLES
    return os.environ | given


@pytest.fixture
def plane() -> object:
    with Simulator(Registry.generate(1, ml_repos=2, models=6, versions=2, metrics=1), token=TOKEN) as simulator:
        yield simulator


def cron(line: str, folder: Path, environment: dict[str, str]) -> str:
    """What a line of the crontab prints, and so what cron mails."""
    line = line.replace(INSTALLED, COMMAND).replace("/var/log/tfy-etl", str(folder))
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_lines_of_the_crontab_are_silent_as_long_as_all_is_well(tmp_path: Path, environment: dict[str, str]) -> None:
    assert [cron(line, tmp_path, environment) for line in LINES] == ["", "", ""]
    assert "succeeded" in (tmp_path / "sync.log").read_text()
    assert (tmp_path / "tfy-etl.prom").exists()


def test_overlapping_runs_are_no_news_and_failed_ones_are(tmp_path: Path, environment: dict[str, str]) -> None:
    sync, check, _ = LINES
    with Store(environment["TFY_ETL_DATABASE_URL"]) as store:
        store.lock(ALL_REPOS, 0)
        assert cron(sync, tmp_path, environment) == ""
    assert "Another run is at work" in (tmp_path / "sync.log").read_text()
    (tmp_path / "token").write_text("not-the-token")
    assert cron(sync, tmp_path, environment).startswith("a run failed: ")
    assert cron(check, tmp_path, environment).startswith("TFY-ETL ")
