"""The output of the command on a terminal."""

import re
import threading
from pathlib import Path

import pytest

from etl.simulator import Simulator, fault
from tests.e2e.cli.commands import COMMAND
from tests.e2e.cli.conftest import Cli
from tests.support.patience import patience
from tests.support.terminal import show


def test_a_normal_run_shows_only_its_result(ready: Simulator, folder: Path) -> None:
    shown = show([COMMAND, "sync"], cwd=folder)
    assert shown.code == 0
    assert shown.screen.startswith("✔ Up to date: 6 models, 12 versions in 2 ML repos\n")
    assert "writing" in shown.written  # progress bars were shown, and then removed
    assert "━" not in shown.screen
    assert "[info]" not in shown.written
    assert "etl.cli" not in shown.written


@pytest.mark.parametrize(
    ("env", "mark", "coloured"),
    [({}, "✔ ", True), ({"NO_COLOR": "1"}, "✔ ", False), ({"TERM": "dumb"}, "", False),
     ({"PYTHONIOENCODING": "ascii"}, "", True)],
)  # fmt: skip
def test_colour_and_check_mark_are_shown_if_the_terminal_supports_them(
    env: dict[str, str], mark: str, *, coloured: bool, ready: Simulator, folder: Path
) -> None:
    shown = show([COMMAND, "sync", "--no-progress"], cwd=folder, env=env)
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown.screen).startswith(f"{mark}Up to date: 6 models")
    assert shown.has_colour == coloured


def test_a_warning_is_shown_once(ready: Simulator, folder: Path) -> None:
    for quiet in ((), ("-q",)):
        shown = show([COMMAND, "sync", "--name", "none", *quiet], cwd=folder)
        assert shown.screen.count("Warning: No model matches") == 1


def test_verbose_adds_info_lines_and_quiet_removes_warnings_and_progress(ready: Simulator, folder: Path) -> None:
    env = {"TFY_ETL_NO_SUCH": "1"}
    assert (
        "Warning: the environment variable TFY_ETL_NO_SUCH is unknown"
        in show([COMMAND, "sync"], cwd=folder, env=env).screen
    )
    assert " [info] the API of http://" in show([COMMAND, "sync", "-v"], cwd=folder).screen
    quiet = show([COMMAND, "sync", "-q"], cwd=folder, env=env).written
    assert "TFY_ETL_NO_SUCH" not in quiet
    assert "writing" not in quiet


def test_warnings_without_a_terminal_keep_their_time_and_logger(
    ready: Simulator, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_ETL_NO_SUCH", "1")
    err = tfy_etl("sync").err
    assert " [warning] the environment variable TFY_ETL_NO_SUCH is unknown [etl.cli.main]\n" in err
    assert " [info] " in err


@pytest.mark.parametrize("arguments", [("-q", "sync"), ("sync", "-q")])
def test_quiet_prints_nothing_on_stderr_without_a_terminal(
    arguments: tuple[str, ...], ready: Simulator, tfy_etl: Cli
) -> None:
    done = tfy_etl(*arguments)
    assert (done.code, done.err) == (0, "")


def test_quiet_and_verbose_contradict_each_other(tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "-q", "-v")
    assert (done.code, done.err) == (2, "Error: --quiet and --verbose contradict each other: pass one of them.\n")


def test_ctrl_c_during_retries_leaves_one_line_and_no_bars(ready: Simulator, folder: Path) -> None:
    ready.faults = [fault("flaky_500:503,every=1,after=2")]
    shown = show(
        [COMMAND, "sync", "--log-level", "error"], cwd=folder, type_when=lambda seen: b"\x03" if "━" in seen else None
    )
    assert (shown.code, shown.screen.replace("^C", "").strip()) == (130, "Error: Interrupted: no record was written.")


def test_ctrl_c_while_the_control_plane_does_not_answer_ends_the_run(ready: Simulator, folder: Path) -> None:
    release = threading.Event()
    ready.before_request = lambda number, *_: release.wait(patience()) if number > 1 else None
    shown = show([COMMAND, "sync"], cwd=folder, type_when=lambda seen: b"\x03" if "ML repos" in seen else None)
    release.set()
    assert shown.code == 130
    assert shown.screen.splitlines()[-1] == "Error: Interrupted: no record was written."
    assert "━" not in shown.screen
    assert shown.screen.count("\n") <= 1  # at most the echo of Ctrl+C
