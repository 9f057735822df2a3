"""The command lines and variables in the files of docs/deploy are valid."""

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
KNOWN_VARIABLES = {TOKEN_ENV, CONFIG_ENV, DATABASE_URL_FILE_ENV} | {
    name for field in Settings.__dataclass_fields__ if field != "api_key" for name in env_names(field)
}


def shell_calls(line: str) -> list[list[str]]:
    """The arguments of each tfy-etl call in a shell line."""
    calls = re.findall(rf"{INSTALLED} ([^|>]*?)\s*(?:\d?>|\||$)", line)
    return [shlex.split(call) for call in calls]


def unit_calls() -> list[list[str]]:
    texts = [path.read_text() for path in FOLDER.glob("*.service")]
    return [
        shlex.split(call) for text in texts for call in re.findall(rf"^ExecStart={INSTALLED} (.*)$", text, re.MULTILINE)
    ]


ARGUMENTS = [
    *(call for line in LINES for call in shell_calls(line)),
    *unit_calls(),
    *(container["args"] for _, container in containers()),
]


def test_every_kind_of_file_has_commands() -> None:
    assert [len(LINES), len(unit_calls()), len(list(containers()))] == [3, 2, 3]
    assert len(ARGUMENTS) == 8


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
def test_every_command_line_is_valid(arguments: list[str]) -> None:
    context = cli.make_context("tfy-etl", [*arguments], resilient_parsing=False)
    with context:
        command: click.Command = cli
        rest = [*context._protected_args, *context.args]
        while isinstance(command, click.Group):
            name, found, rest = command.resolve_command(context, rest)
            assert found is not None, name
            command = found
        command.make_context(command.name, rest, parent=context).close()


def test_every_variable_is_known() -> None:
    in_files = {
        name
        for path in (*FOLDER.glob("*.service"), FOLDER / "Containerfile", PRODUCTION / "settings.yaml")
        for name in re.findall(r"\bTFY_[A-Z_]*[A-Z]\b", path.read_text())
    }
    found = VARIABLES | settings().keys() | in_files
    assert len(found) > 5
    assert found <= KNOWN_VARIABLES
    keys = tomllib.loads((FOLDER / "tfy-etl.toml").read_text())
    assert {key.replace("-", "_") for key in keys} <= Settings.__dataclass_fields__.keys()
