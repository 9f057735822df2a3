"""Whatever the control plane answers: the run ends as it should, within bounds, and the tables stay true."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import stamina

from etl.errors import EtlError
from etl.models import SyncRun
from etl.simulator import fault
from tests.support.bad_answers import AS_BEFORE, BAD_ANSWERS, NEW, BadAnswer
from tests.support.load_factor import LOAD_FACTOR
from tests.support.patience import patience
from tests.support.sync_env import SyncEnv, sync_env

MOST_MEMORY = 300
"""MiB: some 80 for the program, 64 for the pieces of a body, 64 for the whole of it, and slack."""

UNDER_WAY = 8
"""Requests that threads may still send while a run ends, which its row does not know of."""

STATUS = {0: "succeeded", 1: "failed", 2: "failed", 3: "partial"}
PATIENCE: dict[str, Any] = {"page_size": 5, "max_retries": 2, "max_retry_time": 5.0}

Records = dict[str, dict[str, str]]
Run = Callable[[SyncEnv, BadAnswer], tuple[int, str]]

# A process for each would take minutes: the suite has one for each way to end, `make endurance` all of them.
_WAYS_TO_END = {(bad.duration, bad.exit_code, bad.holds): bad for bad in reversed(BAD_ANSWERS)}
BY_COMMAND = BAD_ANSWERS if LOAD_FACTOR > 1 else tuple(_WAYS_TO_END.values())


def name_of(bad: BadAnswer) -> str:
    return f"{bad.name} {bad.duration}"


@contextmanager
def changed(url: str) -> Iterator[SyncEnv]:
    """A registry that was synced and has changed since."""
    with sync_env(url) as env:
        env.sync()
        registry = env.registry
        _, gone, renamed, grown, *_ = registry.ids("models")
        *_, tagged = registry.ids("model-versions")
        dropped = next(each["id"] for each in registry.records("model-versions") if each["model_id"] == renamed)
        registry.delete_model(gone)
        registry.delete_version(dropped)
        registry.set_fields(renamed, {"name": "renamed"})
        registry.set_tags(tagged, ["moved"])
        registry.add_version(grown)
        registry.add_version(registry.add_model("1", "new"))
        env.plane.log.clear()
        yield env


def ended(env: SyncEnv, bad: BadAnswer) -> tuple[int, str]:
    """Exit code and last line of a run in this process, which does not pause before it tries again."""
    try:
        with stamina.set_testing(True, attempts=100, cap=True):
            summary = env.sync(timeout=bad.timeout, **PATIENCE)
    except EtlError as error:
        return error.exit_code, str(error)
    return {"succeeded": 0, "partial": 3}[summary.status], ""


def ended_by_command(env: SyncEnv, bad: BadAnswer) -> tuple[int, str]:
    """The same of the real command, which tells nothing but one line when it fails."""
    options = {"timeout": bad.timeout} | PATIENCE
    process = env.start(*(f"--{name.replace('_', '-')}={value}" for name, value in options.items()))
    out, err = process.communicate(timeout=patience())
    errors = [line for line in err.splitlines() if line.startswith("Error: ")]

    assert "Traceback" not in err
    assert bool(out) == (process.returncode in {0, 3})
    assert len(errors) == (process.returncode in {1, 2})
    return process.returncode, "".join(errors).removeprefix("Error: ")


def assert_nothing_is_lost_or_invented(env: SyncEnv, before: Records) -> None:
    """Every record that was there is there, as it was or as it is now."""
    held, served = env.held(), env.served()
    for entity, records in held.items():
        assert before[entity].keys() <= records.keys()
        for record_id, text in records.items():
            assert text in {before[entity].get(record_id), served[entity].get(record_id)}


def peak_memory(process: subprocess.Popen[str]) -> int:
    """The most that a process held at once, in MiB, looked up until it ended."""
    most, status = 0, Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        if found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text()):
            most = int(found[1]) // 1024
        time.sleep(0.01)
    return most


def assert_it_ends_as_the_table_says(bad: BadAnswer, url: str, run: Run) -> None:
    with changed(url) as env:
        tables, before = env.registry_dump(), env.held()
        env.plane.faults = [fault(each) for each in bad.faults]
        code, line = run(env, bad)
        requests = len(env.plane.log)
        row = max(env.rows(SyncRun), key=itemgetter("started_at"))

        assert code == bad.exit_code, line
        assert requests <= bad.requests
        assert bool(line) == (code in {1, 2})
        assert (row["status"], row["error"] or "") == (STATUS[code], line)
        assert abs(row["requests"] - requests) <= UNDER_WAY
        assert row["complete"] == (bad.holds == NEW)
        if bad.holds == AS_BEFORE:
            assert env.registry_dump() == tables
        elif bad.holds == NEW:
            assert env.held() == env.served()
        else:
            assert_nothing_is_lost_or_invented(env, before)
        env.plane.faults = []
        env.sync()
        assert env.held() == env.served()


@pytest.mark.parametrize("dialect", ["sqlite"])
@pytest.mark.parametrize("bad", BAD_ANSWERS, ids=name_of)
def test_a_bad_answer_ends_the_run_as_the_table_says(bad: BadAnswer, dialect: str, migrated_url: str) -> None:
    assert_it_ends_as_the_table_says(bad, migrated_url, ended)


@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.parametrize("bad", BY_COMMAND, ids=name_of)
def test_a_bad_answer_ends_the_command_as_the_table_says(bad: BadAnswer, dialect: str, migrated_url: str) -> None:
    assert_it_ends_as_the_table_says(bad, migrated_url, ended_by_command)


@pytest.mark.parametrize("written", ["huge_body", "gzip_bomb"])
def test_a_body_of_a_gigabyte_takes_only_the_memory_of_its_bound(written: str, migrated_file: Path) -> None:
    with sync_env(f"sqlite:///{migrated_file}") as env:
        env.plane.faults = [fault(f"{written},endpoint=ml-repos")]
        process = env.start("--dry-run")
        most = peak_memory(process)
        _, err = process.communicate()

    assert process.returncode == 1
    assert "shorten this one record" in err
    assert most < MOST_MEMORY
