"""Commands whose output streams are full, closed or slow to be read."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from etl.simulator import Simulator
from tests.e2e.cli.commands import COMMAND, FAULTY, TOKEN, execute
from tests.e2e.cli.conftest import Cli
from tests.support.preloaded_command import Done

NO_SPACE = "Error: Cannot print the result: No space left on device. Fix the target of stdout, then run again.\n"
PRINTING_COMMANDS = [
    "status",
    "status --output json",
    "check",
    "db current",
    "rejected list",
    "rejected retry",
    "report --out -",
    "schema",
    "simulate",
    "sync --dry-run",
    "sync --help",
    "--version",
]
"""Commands that only print."""


@pytest.fixture
def synced(ready: Simulator, tfy_etl: Cli) -> None:
    """A synced database in the working directory."""
    tfy_etl("sync")


def run_shell(line: str, folder: Path, **env: str) -> Done:
    """Run a shell line in which `tfy-etl` is the real command and logs errors only."""
    return execute("/bin/sh", "-c", line.replace("tfy-etl", f"{COMMAND} --log-level error"), cwd=folder, env=env)


@pytest.mark.parametrize("command", PRINTING_COMMANDS)
def test_a_result_on_a_full_disk_fails_with_one_error_line(command: str, synced: None, folder: Path) -> None:
    assert run_shell(f"tfy-etl {command} > /dev/full", folder) == (1, "", NO_SPACE)


@pytest.mark.parametrize(
    "variable",
    ["LANG=C", "LC_ALL=POSIX", "LC_ALL=xx_YY", "PYTHONIOENCODING=ascii", "PYTHONUTF8=0", "PYTHONUNBUFFERED=1"],
)
def test_a_full_disk_fails_with_the_same_error_line_under_any_locale_or_buffering(
    variable: str, synced: None, folder: Path
) -> None:
    name, _, value = variable.partition("=")
    assert run_shell("tfy-etl status > /dev/full", folder, **{name: value}) == (1, "", NO_SPACE)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("status > /dev/full 2>&1", 1),
        ("status 2> /dev/full", 0),
        ("status > /dev/full 2>&-", 1),
        ("status >&-", 0),
        ("status >&- 2>&-", 0),
        ("report --out - >&-", 0),
        ("synk 2> /dev/full", 2),
        ("synk 2>&-", 2),
        ("2> /dev/full", 2),
        ("sync --api-key-file none 2>&-", 2),
        ("sync --full > /dev/full 2>&1", 0),
        ("sync --full --progress 2> /dev/full", 0),
        ("sync --full --output json >&- 2>&-", 0),
        ("db upgrade > /dev/full", 0),
        ("status --output nagios --max-age 0s > /dev/full", 1),
        ("status --output nagios --critical-age 0s > /dev/full", 2),
    ],
)
def test_a_command_with_a_full_or_closed_stream_does_not_exit_with_120(
    line: str, code: int, synced: None, folder: Path
) -> None:
    assert run_shell(f"tfy-etl {line}", folder).code == code


@pytest.mark.parametrize("command", ["status", "schema", "--help", "report --out -"])
def test_a_command_with_a_closed_pipe_exits_with_1_silently(command: str, synced: None, folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.run([COMMAND, *command.split()], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (process.returncode, process.stderr) == (1, b"")


def test_a_failed_run_keeps_its_exit_code_if_its_json_cannot_be_printed(synced: None, folder: Path) -> None:
    done = run_shell("tfy-etl sync --host http://127.0.0.1:1/ --output json > /dev/full", folder)
    log_line, error_line = done.err.splitlines()
    assert "cannot print the result: No space left on device" in log_line
    assert (done.code, error_line.startswith("Error: ")) == (2, True)
    assert "cannot print" not in error_line


def test_a_bug_with_full_output_streams_exits_with_1(ready: Simulator, folder: Path) -> None:
    line = f"{sys.executable} -c '{FAULTY}' sync > /dev/full 2>&1"
    done = execute("/bin/sh", "-c", line, cwd=folder, env={"TFY_HOST": ready.url, "TFY_API_KEY": TOKEN})
    assert done.code == 1


def test_a_non_blocking_pipe_receives_a_long_result_whole(folder: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    capacity = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    expected = execute(COMMAND, "schema", cwd=folder).out.encode()
    process = subprocess.Popen([COMMAND, "schema"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    parts = list[bytes]()

    def read_pipe() -> None:
        with os.fdopen(reader, "rb") as pipe:
            parts.append(pipe.read())

    thread = threading.Thread(target=read_pipe)
    thread.start()
    _, err = process.communicate()
    thread.join()
    assert (process.returncode, err, b"".join(parts)) == (0, b"", expected)
    assert len(expected) > capacity
