"""Every log line of a run has its id, in all packages and threads."""

import json
import sys
from pathlib import Path
from typing import Any

from etl.simulator import MODELS, Registry, Simulator, fault
from tests.e2e.cli.commands import FAULTY, execute
from tests.e2e.cli.conftest import Cli


def log_lines(err: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.splitlines()]


def test_every_log_line_of_a_run_has_its_id_in_all_threads(ready: Simulator, tfy_etl: Cli) -> None:
    ready.faults = [fault("flaky_500:503,every=3,times=2")]
    done = tfy_etl("sync", "--log-format", "json", "--log-level", "debug", "--output", "json", "--max-retries", "3")
    lines = log_lines(done.err)
    assert {line.get("run_id") for line in lines} == {json.loads(done.out)["run_id"]}
    assert any("trying again" in line["event"] for line in lines)


def test_the_error_line_of_a_failed_run_has_its_id(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync", "--log-format", "json", "--ml-repo", "no-such")
    done = tfy_etl("sync", "--log-format", "json", "--ml-repo", "no-such")
    last = json.loads(tfy_etl("status", "--output", "json").out)["runs"][0]
    lines = log_lines(done.err)
    assert lines[-1]["event"].startswith("The control plane has no ML repo with the id 'no-such'")
    assert {line.get("run_id") for line in lines} == {last["id"]}


def test_the_report_of_a_bug_has_the_id_of_the_run(ready: Simulator, folder: Path) -> None:
    done = execute(sys.executable, "-c", FAULTY, "sync", "--log-format", "json", cwd=folder)
    lines = log_lines(done.err)
    assert (done.code, lines[-1]["level"]) == (1, "critical")
    assert len({line["run_id"] for line in lines}) == 1


def test_a_retry_of_rejected_records_logs_an_id_of_its_own(ready: Simulator, registry: Registry, tfy_etl: Cli) -> None:
    registry.set_fields(registry.ids(MODELS)[0], {"deep": json.loads("[" * 300 + "]" * 300)})
    tfy_etl("sync")
    done = tfy_etl("rejected", "retry", "--log-format", "json", "--output", "json")
    assert {line.get("run_id") for line in log_lines(done.err)} == {json.loads(done.out)["run_id"]}


def test_log_lines_of_other_commands_have_no_run_id(reachable: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("status", "--log-format", "json")
    assert [line.get("run_id") for line in log_lines(done.err)] == [None]
