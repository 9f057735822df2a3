"""Commands and variables that the files of docs/deploy give to others are ours, and do what the files say."""

import re
import shlex
import tomllib

import click
import pytest

from etl.cli.main import cli
from etl.settings import CONFIG_ENV, DATABASE_URL_FILE_ENV, TOKEN_ENV, Settings, env_names
from tests.support.deploy_files import FOLDER, INSTALLED, PRODUCTION, containers, settings

CRONTAB = (FOLDER / "crontab").read_text().splitlines()
LINES = [line.split(None, 5)[5] for line in CRONTAB if line[:1] in {"*", *"0123456789"} and INSTALLED in line]
VARIABLES = {line.partition("=")[0] for line in CRONTAB if re.match(r"[A-Z_]+=", line)}
KNOWN = {TOKEN_ENV, CONFIG_ENV, DATABASE_URL_FILE_ENV} | {
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
    *(container["args"] for _, container in containers()),
]


def test_there_are_commands_of_each_kind() -> None:
    assert [len(LINES), len(of_units()), len(list(containers()))] == [3, 2, 3]
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
    of_files = {
        name
        for path in (*FOLDER.glob("*.service"), FOLDER / "Containerfile", PRODUCTION / "settings.yaml")
        for name in re.findall(r"\bTFY_[A-Z_]*[A-Z]\b", path.read_text())
    }
    found = VARIABLES | settings().keys() | of_files
    assert len(found) > 5
    assert found <= KNOWN
    keys = tomllib.loads((FOLDER / "tfy-etl.toml").read_text())
    assert {key.replace("-", "_") for key in keys} <= Settings.__dataclass_fields__.keys()
