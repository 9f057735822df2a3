"""What a person sees on a terminal."""

from pathlib import Path

import pytest

from etl.simulator import Simulator
from tests.e2e.cli.commands import COMMAND
from tests.e2e.cli.conftest import Cli
from tests.support.terminal import show


def test_a_normal_run_shows_only_its_result(known: Simulator, folder: Path) -> None:
    shown = show([COMMAND, "sync"], cwd=folder)
    assert shown.code == 0
    assert "writing" in shown.written  # the bars were there, and are gone
    assert "━" not in shown.screen
    assert "[info]" not in shown.written
    assert "etl.cli" not in shown.written


def test_verbose_adds_info_lines_and_quiet_removes_warnings_and_progress(known: Simulator, folder: Path) -> None:
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
    known: Simulator, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_ETL_NO_SUCH", "1")
    err = tfy_etl("sync").err
    assert " [warning] the environment variable TFY_ETL_NO_SUCH is unknown [etl.cli.main]\n" in err
    assert " [info] " in err


@pytest.mark.parametrize("arguments", [("-q", "sync"), ("sync", "-q")])
def test_quiet_logs_and_shows_nothing_without_a_terminal_either(
    arguments: tuple[str, ...], known: Simulator, tfy_etl: Cli
) -> None:
    done = tfy_etl(*arguments)
    assert (done.code, done.err) == (0, "")


def test_quiet_and_verbose_contradict_each_other(tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "-q", "-v")
    assert (done.code, done.err) == (2, "Error: --quiet and --verbose contradict each other: pass one of them.\n")
