import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import click
import pytest

import etl
from etl.cli.main import cli
from etl.export import FORMATS
from etl.schema_docs import WRITERS
from etl.simulator import Simulator
from tests.e2e.cli.commands import COMMAND, execute
from tests.e2e.cli.conftest import Cli
from tests.support.patience import patience

COMMANDS = [
    "changes", "check", "config", "db", "demo", "diff", "explore", "export", "prune", "rejected", "report", "schema",
    "simulate", "status", "sync",
]  # fmt: skip


def test_help_shows_the_commands_the_options_in_groups_and_a_first_run(tfy_etl: Cli) -> None:
    done = tfy_etl("--help")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in _section(done.out, "Commands:")] == COMMANDS
    headings = ["Commands:", "Control plane and database:", "Requests:", "Logs:", "Monitoring:", "Other options:"]
    assert [line.strip() for line in done.out.splitlines() if line.strip() in headings] == headings
    assert "...\n" not in done.out.partition("\n")[2]
    connection = (
        "--host",
        "--database-url",
        "--api-prefix",
        "--api-key-file",
        "--ca-bundle",
        "--timeout",
        "--max-retries",
        "--requests-per-second",
    )
    for option in (
        *connection,
        "--log-format",
        "--log-level",
        "-q, --quiet",
        "-v, --verbose",
        "--progress / --no-progress",
        "--metrics-file",
        "--notify-url",
        "--config",
    ):
        assert f"  {option} " in done.out


def test_help_of_sync_shows_its_options_in_groups(tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "-h")
    headings = ["Scope:", "Comparison:", "Deletes:", "Requests:", "Run:", "Other options:"]
    assert [line.strip() for line in done.out.splitlines() if line.strip() in headings] == headings
    for option in ("--full", "--ml-repo", "--fqn", "--name", "--run-id", "--include-empty / --exclude-empty",
                   "--versions", "--page-size", "--concurrency", "--dry-run", "--no-delete", "--allow-mass-delete",
                   "--max-delete-share", "--output", "--lock-wait", "--full-every", "--max-sweeps"):  # fmt: skip
        assert f"  {option}" in done.out
    assert "[default: 24h]" in done.out


@pytest.mark.parametrize("command", [*COMMANDS, "db upgrade", "db current", "db check"])
def test_every_command_has_help_within_80_columns(command: str, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = tfy_etl(*command.split(), "--help")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize(
    "group", [(), *((name,) for name, each in cli.commands.items() if isinstance(each, click.Group))]
)
def test_no_command_summary_in_a_help_text_is_truncated(
    group: tuple[str, ...], tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = _section(tfy_etl(*group, "--help").out, "Commands:")
    assert [line for line in lines if line.endswith("...")] == []


def test_no_option_takes_the_token(tfy_etl: Cli) -> None:
    for name in ("--api-key", "--token"):
        assert tfy_etl("sync", name, "x").code == 2


def test_the_version_option_works_before_and_after_the_command(tfy_etl: Cli) -> None:
    assert {tfy_etl(*each).out for each in (("--version",), ("sync", "--version"), ("-V",), ("sync", "-V"))} == {
        f"tfy-etl, version {etl.__version__}\n"
    }


def test_a_schema_in_the_environment_applies_to_the_database_url_option(
    tfy_etl: Cli, ready: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_ETL_SCHEMA", "production")
    assert tfy_etl("--version").code == 0
    done = tfy_etl("sync", "--database-url", "postgresql://localhost:1/registry")
    assert (done.code, "PostgreSQL does not answer" in done.err) == (1, True)


def test_without_a_command_help_is_printed_and_the_exit_code_is_2(tfy_etl: Cli) -> None:
    done = tfy_etl()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: tfy-etl")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["xyz"], "Error: No such command 'xyz'. See tfy-etl --help.\n"),
        (["--host", "x"], "Error: Missing command. See tfy-etl --help.\n"),
        (["sync", "--page-size", "ten"],
         "Error: Invalid value for '--page-size': 'ten' is not a valid integer. See tfy-etl sync --help.\n"),
        (["status", "--max-age", "99999999999w"],
         "Error: Invalid value for '--max-age': The duration '99999999999w' is too long. See tfy-etl status --help.\n"),
        (["sync", "\x1b[31mred"], "Error: Got unexpected extra argument (\\x1b[31mred). See tfy-etl sync --help.\n"),
    ],
)  # fmt: skip
def test_a_usage_error_is_one_line(arguments: list[str], line: str, tfy_etl: Cli) -> None:
    assert tfy_etl(*arguments) == (2, "", line)


def test_with_json_logs_an_error_is_a_json_line(tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--log-format", "json", "--name", "\x1b[31m", "--page-size", "0")
    entry = json.loads(done.err)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert (entry["level"], entry["event"]) == ("error", "--page-size must be at least 1, not 0.")


def test_a_json_error_line_has_no_secret(tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFY_API_KEY", "no-such")
    done = tfy_etl("check", "--log-format", "json", "--log-level", "error", "no-such")
    assert json.loads(done.err)["event"] == "Got unexpected extra argument (***). See tfy-etl check --help."


def test_the_package_runs_as_a_module(folder: Path) -> None:
    done = execute(sys.executable, "-m", "etl", "sync", cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: No host and no token are set: set TFY_HOST or --host to https://your-control-plane.example; "
        "set TFY_API_KEY or --api-key-file.\n"
    )


def test_importing_the_main_module_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    importlib.import_module("etl.__main__")
    assert capsys.readouterr() == ("", "")


def test_a_python_caller_can_capture_the_output(monkeypatch: pytest.MonkeyPatch, tfy_etl: Cli) -> None:
    captured = io.StringIO()
    monkeypatch.setattr(sys, "stdout", captured)
    assert tfy_etl("--version").code == 0
    assert etl.__version__ in captured.getvalue()


def test_a_closed_pipe_ends_the_command_silently(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    process = subprocess.Popen([COMMAND, "status"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert (process.wait(patience()), process.stderr.read()) == (1, b"")
    process.stderr.close()


def test_characters_outside_the_encoding_are_escaped(folder: Path) -> None:
    arguments = ("--ca-bundle", "zertifikat-\u00fc.pem", "config", "show")
    done = execute(COMMAND, *arguments, cwd=folder, env={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert r"zertifikat-\xfc.pem" in done.out


def test_an_interrupt_outside_a_run_exits_with_130(tfy_etl: Cli, ready: Simulator) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    import etl.cli.check as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "check_lock_free", interrupt)
        done = tfy_etl("check")
    assert (done.code, done.err.splitlines()[-1]) == (130, "Error: Interrupted.")


def test_a_bug_is_reported_without_the_token(folder: Path) -> None:
    script = (
        "import sys; import etl.cli.sync as s; from etl.cli import main\n"
        "def run(settings, **_): raise RuntimeError(f'no luck with {settings.api_key}')\n"
        "s.run = run; sys.argv = ['tfy-etl', 'sync']; main()"
    )
    done = execute(sys.executable, "-c", script, cwd=folder, env={"TFY_API_KEY": "hush-hush"})
    assert done.code == 1
    assert "RuntimeError: no luck with ***" in done.err
    assert "please report it" in done.err
    assert "hush-hush" not in done.err


def _section(text: str, title: str) -> list[str]:
    """The lines below a heading, up to the next empty one."""
    return text.split(f"{title}\n", 1)[1].split("\n\n", 1)[0].splitlines()


@pytest.mark.parametrize(("command", "formats"), [("export", FORMATS), ("schema", WRITERS)])
def test_the_format_option_offers_every_format(command: str, formats: Iterable[str]) -> None:
    (option,) = (each for each in cli.commands[command].params if each.name == "format")
    assert isinstance(option.type, click.Choice)
    assert sorted(option.type.choices) == sorted(formats)
