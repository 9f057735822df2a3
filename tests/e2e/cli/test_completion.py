"""Completion of commands, options and values in bash, zsh and fish."""

import os
from pathlib import Path

import pytest

from tests.e2e.cli.commands import COMMAND, execute
from tests.support.external_tools import require_tool
from tests.support.paths import ROOT

SHELLS = ("bash", "zsh", "fish")


def complete(shell: str, words: str, folder: Path, **env: str) -> list[str]:
    """The completions that the shell offers for the last of these words."""
    *before, incomplete = words.split(" ")
    # fish passes the incomplete word itself, the other shells its index.
    current_word = incomplete if shell == "fish" else str(len(before))
    variables = {"_TFY_ETL_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": current_word}
    done = execute(COMMAND, cwd=folder, env=variables | env)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    if shell == "zsh":  # type, word and help, each on a line
        return lines[1::3]
    return [line.split(",", 1)[1].partition("\t")[0] for line in lines]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("tfy-etl sy", ["sync"]),
        ("tfy-etl db ", ["check", "current", "upgrade"]),
        ("tfy-etl sync --versions ", ["all", "latest"]),
        ("tfy-etl sync --max-sw", ["--max-sweeps"]),
        ("tfy-etl --log-level ", ["debug", "info", "warning", "error"]),
        ("tfy-etl schema model_version_", ["model_version_metrics", "model_version_packages", "model_version_tags"]),
        ("tfy-etl --host https://plane.tfy stat", ["status"]),
        ("tfy-etl sync --page-size 5 --output ", ["text", "json"]),
        ("tfy-etl sync --database-u", ["--database-url"]),
        ("tfy-etl db upgrade --log-format ", ["console", "json"]),
    ],
)
def test_commands_options_and_values_are_completed(shell: str, words: str, offered: list[str], folder: Path) -> None:
    assert complete(shell, words, folder) == offered


def test_completion_ignores_invalid_settings(folder: Path) -> None:
    env = {"TFY_ETL_CONFIG": "no-such.toml", "TFY_ETL_TIMEOUT": "soon"}
    assert complete("bash", "tfy-etl sy", folder, **env) == ["sync"]


def test_bash_completes_after_the_documented_setup(folder: Path) -> None:
    script = [
        f"PATH={Path(COMMAND).parent}:$PATH",
        next(each for each in documented_setup() if "bash" in each),
        "COMP_WORDS=(tfy-etl rej); COMP_CWORD=1; _tfy_etl_completion tfy-etl",
        'echo "${COMPREPLY[@]}"; complete -p tfy-etl',
    ]
    done = execute("bash", "--norc", "-c", "\n".join(script), cwd=folder)
    assert (done.code, done.err) == (0, "")
    reply, registration = done.out.splitlines()
    assert reply == "rejected"
    assert registration.endswith("-F _tfy_etl_completion tfy-etl")


def test_fish_completes_after_the_documented_setup(folder: Path) -> None:
    fish = require_tool("fish", "fish")
    (line,) = (each for each in documented_setup() if "fish" in each)
    script = f"{line.partition('>')[0]}| source; complete --do-complete 'tfy-etl rej'"
    done = execute(fish, "--no-config", "-c", script, cwd=folder, env=path_with_command())
    assert (done.code, done.out.split()[:1], done.err) == (0, ["rejected"], "")


def test_zsh_completes_after_the_documented_setup(folder: Path) -> None:
    zsh = require_tool("zsh", "zsh")
    (line,) = (each for each in documented_setup() if "zsh" in each)
    script = f"autoload -U compinit; compinit -u; {line.partition('#')[0]}\nprint $_comps[tfy-etl]"
    done = execute(zsh, "-f", "-c", script, cwd=folder, env=path_with_command())
    assert (done.code, done.out, done.err) == (0, "_tfy_etl_completion\n", "")


def path_with_command() -> dict[str, str]:
    """The environment of a shell with the command in PATH."""
    return {"PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_documented_command_prints_the_script_of_each_shell(shell: str, folder: Path) -> None:
    assert [f"_TFY_ETL_COMPLETE={shell}_source tfy-etl" in line for line in documented_setup()].count(True) == 1
    done = execute(COMMAND, cwd=folder, env={"_TFY_ETL_COMPLETE": f"{shell}_source"})
    assert (done.code, done.err) == (0, "")
    assert f"_TFY_ETL_COMPLETE={shell}_complete" in done.out


def documented_setup() -> list[str]:
    """The lines of the docs that set up completion."""
    (page,) = (ROOT / "docs").rglob("commands.md")
    return [line for line in page.read_text(encoding="utf-8").splitlines() if "_TFY_ETL_COMPLETE=" in line]
