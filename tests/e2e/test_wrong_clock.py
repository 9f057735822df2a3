"""Runs on a machine whose clock is wrong or changes during the run, by libfaketime."""

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


def run_command(env: SyncEnv, folder: Path, *command: str, **variables: str) -> Done:
    settings = {"TFY_HOST": env.plane.url, "TFY_API_KEY": TOKEN, "TFY_ETL_DATABASE_URL": env.url}
    return execute(*command, cwd=folder, env=settings | variables)


def parse_result(done: Done) -> dict[str, Any]:
    assert done.code == 0, done
    parsed: dict[str, Any] = json.loads(done.out)
    return parsed


def test_a_run_with_a_future_clock_is_reported_and_followed_by_a_full_run(
    faketime: str, env: SyncEnv, tmp_path: Path
) -> None:
    sync = (COMMAND, "sync", "--output", "json")
    in_the_future = (faketime, "-f", "+400d")
    assert parse_result(run_command(env, tmp_path, *in_the_future, *sync, FAKETIME_DONT_FAKE_MONOTONIC="1"))["complete"]

    status = run_command(env, tmp_path, COMMAND, "status", "--max-age", "6h")

    assert status.code == 1
    assert "in the future" in status.err
    assert parse_result(run_command(env, tmp_path, *sync))["mode"] == "full"
    assert run_command(env, tmp_path, COMMAND, "status", "--max-age", "6h").code == 0
    assert parse_result(run_command(env, tmp_path, *sync))["mode"] == "incremental"


def test_a_run_whose_clock_changes_stores_every_record(faketime: str, env: SyncEnv, tmp_path: Path) -> None:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), Path(faketime))
    offset_file, request_numbers, offsets = tmp_path / "offset", count(), cycle(["+3h", "-2d", "+400d", "-1h"])

    def change_clock(*_request: object) -> None:
        if next(request_numbers) % 2:
            offset_file.write_text(f"{next(offsets)}\n")

    offset_file.write_text("+0\n")
    env.plane.before_request = change_clock
    done = run_command(
        env, tmp_path, COMMAND, "sync", "--output", "json", "--page-size", "3",
        LD_PRELOAD=str(library), FAKETIME_TIMESTAMP_FILE=str(offset_file), FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )  # fmt: skip
    env.plane.before_request = None

    assert parse_result(done)["complete"]
    assert env.held() == env.served()
    assert parse_result(run_command(env, tmp_path, COMMAND, "sync", "--output", "json", "--full"))["complete"]
    assert len(env.rows(SyncScope)) == 1
    assert run_command(env, tmp_path, COMMAND, "status", "--max-age", "6h").code == 0
