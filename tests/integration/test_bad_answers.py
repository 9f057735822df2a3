"""After each bad answer, the run ends as expected and within bounds, and the tables have no wrong data."""

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

MAX_MEMORY = 300
"""MiB: about 80 for the program, 64 for the chunks of a body, 64 for the joined body, and a margin."""

MAX_IN_FLIGHT = 8
"""Requests that threads may still send while a run ends, and that its row does not count."""

STATUS_BY_EXIT_CODE = {0: "succeeded", 1: "failed", 2: "failed", 3: "partial"}
RUN_OPTIONS: dict[str, Any] = {"page_size": 5, "max_retries": 2, "max_retry_time": 5.0}

Records = dict[str, dict[str, str]]
Run = Callable[[SyncEnv, BadAnswer], tuple[int, str]]

# A process for each would take minutes: the suite starts one for each outcome, `make endurance` one for each case.
_ONE_PER_OUTCOME = {(bad.duration, bad.exit_code, bad.holds): bad for bad in reversed(BAD_ANSWERS)}
BY_COMMAND = BAD_ANSWERS if LOAD_FACTOR > 1 else tuple(_ONE_PER_OUTCOME.values())


def case_id(bad: BadAnswer) -> str:
    return f"{bad.name} {bad.duration}"


@contextmanager
def changed_registry(url: str) -> Iterator[SyncEnv]:
    """Yield an environment whose registry has changed since the last sync."""
    with sync_env(url) as env:
        env.sync()
        registry = env.registry
        _, deleted, renamed, extended, *_ = registry.ids("models")
        *_, tagged = registry.ids("model-versions")
        dropped = next(each["id"] for each in registry.records("model-versions") if each["model_id"] == renamed)
        registry.delete_model(deleted)
        registry.delete_version(dropped)
        registry.set_fields(renamed, {"name": "renamed"})
        registry.set_tags(tagged, ["moved"])
        registry.add_version(extended)
        registry.add_version(registry.add_model("1", "new"))
        env.plane.log.clear()
        yield env


def run_in_process(env: SyncEnv, bad: BadAnswer) -> tuple[int, str]:
    """Run in this process, without pauses before retries; return the exit code and the error."""
    try:
        with stamina.set_testing(True, attempts=100, cap=True):
            summary = env.sync(timeout=bad.timeout, **RUN_OPTIONS)
    except EtlError as error:
        return error.exit_code, str(error)
    return {"succeeded": 0, "partial": 3}[summary.status], ""


def run_command(env: SyncEnv, bad: BadAnswer) -> tuple[int, str]:
    """Run the real command, which prints only one line if it fails; return the same."""
    options = {"timeout": bad.timeout} | RUN_OPTIONS
    process = env.start(*(f"--{name.replace('_', '-')}={value}" for name, value in options.items()))
    out, err = process.communicate(timeout=patience())
    errors = [line for line in err.splitlines() if line.startswith("Error: ")]

    assert "Traceback" not in err
    assert bool(out) == (process.returncode in {0, 3})
    assert len(errors) == (process.returncode in {1, 2})
    return process.returncode, "".join(errors).removeprefix("Error: ")


def assert_nothing_is_lost_or_invented(env: SyncEnv, before: Records) -> None:
    """Assert that each earlier record is still stored, as it was before or as it is served now."""
    stored, served = env.held(), env.served()
    for entity, records in stored.items():
        assert before[entity].keys() <= records.keys()
        for record_id, text in records.items():
            assert text in {before[entity].get(record_id), served[entity].get(record_id)}


def peak_memory(process: subprocess.Popen[str]) -> int:
    """Return the peak memory of a process in MiB, read repeatedly until it ends."""
    peak, status = 0, Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        if found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text()):
            peak = int(found[1]) // 1024
        time.sleep(0.01)
    return peak


def assert_expected_outcome(bad: BadAnswer, url: str, run: Run) -> None:
    with changed_registry(url) as env:
        tables, before = env.registry_dump(), env.held()
        env.plane.faults = [fault(each) for each in bad.faults]
        code, error = run(env, bad)
        requests = len(env.plane.log)
        row = max(env.rows(SyncRun), key=itemgetter("started_at"))

        assert code == bad.exit_code, error
        assert requests <= bad.requests
        assert bool(error) == (code in {1, 2})
        assert (row["status"], row["error"] or "") == (STATUS_BY_EXIT_CODE[code], error)
        assert abs(row["requests"] - requests) <= MAX_IN_FLIGHT
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
@pytest.mark.parametrize("bad", BAD_ANSWERS, ids=case_id)
def test_run_ends_as_expected_after_a_bad_answer(bad: BadAnswer, dialect: str, migrated_url: str) -> None:
    assert_expected_outcome(bad, migrated_url, run_in_process)


@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.parametrize("bad", BY_COMMAND, ids=case_id)
def test_command_ends_as_expected_after_a_bad_answer(bad: BadAnswer, dialect: str, migrated_url: str) -> None:
    assert_expected_outcome(bad, migrated_url, run_command)


@pytest.mark.parametrize("fault_name", ["huge_body", "gzip_bomb"])
def test_body_of_a_gigabyte_takes_bounded_memory(fault_name: str, migrated_file: Path) -> None:
    with sync_env(f"sqlite:///{migrated_file}") as env:
        env.plane.faults = [fault(f"{fault_name},endpoint=ml-repos")]
        process = env.start_interpreter("--dry-run")
        peak = peak_memory(process)
        _, err = process.communicate()

    assert process.returncode == 1
    assert "shorten this one record" in err
    assert peak < MAX_MEMORY
