"""Runs on machines whose clock is wrong, or is set while they run, by libfaketime."""

import json
from itertools import count, cycle
from pathlib import Path
from typing import Any

import pytest

from etl.models import SyncScope
from tests.e2e.cli.commands import COMMAND, execute
from tests.support.external_tools import require_tool
from tests.support.preloaded_command import Done
from tests.support.sync_env import TOKEN, SyncEnv


@pytest.fixture(scope="module")
def faketime() -> str:
    return require_tool("faketime", "faketime")


def run(env: SyncEnv, folder: Path, *command: str, **variables: str) -> Done:
    settings = {"TFY_HOST": env.plane.url, "TFY_API_KEY": TOKEN, "TFY_ETL_DATABASE_URL": env.url}
    return execute(*command, cwd=folder, env=settings | variables)


def result(done: Done) -> dict[str, Any]:
    assert done.code == 0, done
    parsed: dict[str, Any] = json.loads(done.out)
    return parsed


def test_a_run_in_the_future_stops_neither_monitoring_nor_full_comparisons(
    faketime: str, env: SyncEnv, tmp_path: Path
) -> None:
    sync = (COMMAND, "sync", "--output", "json")
    ahead = (faketime, "-f", "+400d")
    assert result(run(env, tmp_path, *ahead, *sync, FAKETIME_DONT_FAKE_MONOTONIC="1"))["complete"]

    stale = run(env, tmp_path, COMMAND, "status", "--max-age", "6h")

    assert stale.code == 1
    assert "in the future" in stale.err
    assert result(run(env, tmp_path, *sync))["mode"] == "full"
    assert run(env, tmp_path, COMMAND, "status", "--max-age", "6h").code == 0
    assert result(run(env, tmp_path, *sync))["mode"] == "incremental"


def test_a_clock_that_steps_during_a_run_loses_nothing(faketime: str, env: SyncEnv, tmp_path: Path) -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), Path(faketime))
    offset, number, steps = tmp_path / "offset", count(), cycle(["+3h", "-2d", "+400d", "-1h"])

    def step(*_request: object) -> None:
        if next(number) % 2:
            offset.write_text(f"{next(steps)}\n")

    offset.write_text("+0\n")
    env.plane.before_request = step
    done = run(
        env, tmp_path, COMMAND, "sync", "--output", "json", "--page-size", "3",
        LD_PRELOAD=str(library), FAKETIME_TIMESTAMP_FILE=str(offset), FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )  # fmt: skip
    env.plane.before_request = None

    assert result(done)["complete"]
    assert env.held() == env.served()
    assert result(run(env, tmp_path, COMMAND, "sync", "--output", "json", "--full"))["complete"]
    assert len(env.rows(SyncScope)) == 1
    assert run(env, tmp_path, COMMAND, "status", "--max-age", "6h").code == 0
