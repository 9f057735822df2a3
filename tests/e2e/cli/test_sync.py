import json
import os
import pty
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from etl.simulator import MODELS, Registry, Simulator, fault
from etl.store import ALL_REPOS, Store
from tests.e2e.cli.commands import COMMAND, TOKEN, execute
from tests.e2e.cli.conftest import Cli
from tests.support.patience import patience

KEYS = {
    "run_id", "status", "complete", "mode", "proof", "duration_s", "requests", "retries", "bytes",
    "ml_repos", "models", "model_versions", "rejected", "plan", "warnings", "coverage",
}  # fmt: skip
COUNTS = {"seen", "inserted", "updated", "unchanged", "deleted", "restored"}


def test_the_json_result_is_one_object_with_the_documented_keys(ready: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--output", "json")
    result = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert set(result) == KEYS
    assert set(result["models"]) == set(result["model_versions"]) == COUNTS
    assert (result["status"], result["complete"], result["mode"], result["proof"]) == (
        "succeeded",
        True,
        "full",
        "anchored",
    )
    assert (result["models"]["inserted"], result["model_versions"]["inserted"]) == (6, 12)
    assert (result["rejected"], result["retries"], result["warnings"]) == (0, 0, [])
    assert result["requests"] == len(ready.log)
    assert result["plan"]["because"] == "no run has compared every version yet"


def test_empty_production_tags_are_refused_before_the_first_request(ready: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--production-tags", ",")
    assert (done.code, "--production-tags" in done.err, ready.log) == (2, True, [])


def test_the_text_result_fits_80_columns(ready: Simulator, tfy_etl: Cli) -> None:
    lines = tfy_etl("sync").out.splitlines()
    assert lines[0] == "Up to date: 6 models, 12 versions in 2 ML repos"
    assert [line.split() for line in lines[1:5]] == [
        ["read", "inserted", "updated", "unchanged", "deleted"],
        ["ML", "repos", "2", "2", "0", "0", "0"],
        ["models", "6", "6", "0", "0", "0"],
        ["versions", "12", "12", "0", "0", "0"],
    ]
    assert lines[5] == "12 versions were read: no run has compared every version yet."
    assert lines[6] == "Proven complete (all pages joined); covers all versions of each model."
    assert re.fullmatch(r"5 requests, \d+\.\d kB, \d\.\d s\.", lines[7])
    assert len(lines) == 8
    assert max(map(len, lines)) <= 80


def test_a_second_run_counts_the_stored_records_although_it_reads_fewer(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    lines = tfy_etl("sync").out.splitlines()
    assert lines[0] == "Up to date: 6 models, 12 versions in 2 ML repos"
    assert lines[4].split() == ["versions", "0", "0", "0", "0", "0"]
    assert lines[5] == "No version was read: no model looks changed."


def test_the_first_line_counts_the_records_in_the_scope_of_the_run(
    ready: Simulator, registry: Registry, tfy_etl: Cli
) -> None:
    name = registry.records(MODELS)[0]["name"]
    named = [each for each in registry.records(MODELS) if each["name"] == name]
    plural = "model" if len(named) == 1 else "models"
    expected = f"Up to date: {len(named)} {plural}, {2 * len(named)} versions (filtered)"
    for _ in range(2):
        assert tfy_etl("sync", "--name", name).out.splitlines()[0] == expected
    ready.offers = frozenset({"models", "ml-repos"})
    first = tfy_etl("sync", "--database-url", "sqlite:///latest.db").out.splitlines()[0]
    assert first == "Up to date: 6 models in 2 ML repos (latest versions only)"


def test_the_first_line_counts_deleted_records(ready: Simulator, registry: Registry, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    registry.delete_model(registry.ids(MODELS)[0])
    lines = tfy_etl("sync", "--allow-mass-delete").out.splitlines()
    assert lines[0].startswith("Up to date: 5 models, 10 versions in ")
    assert [line.split()[-1] for line in lines[1:5]] == ["deleted", "0", "1", "2"]


def test_a_quiet_run_prints_one_line(ready: Simulator, tfy_etl: Cli) -> None:
    assert tfy_etl("sync", "-q").out == "Up to date: 6 models, 12 versions in 2 ML repos\n"


def test_logs_are_on_stderr_and_parse_when_they_are_json(ready: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--log-format", "json", "--log-level", "debug", "--output", "json")
    json.loads(done.out)
    entries = [json.loads(line) for line in done.err.splitlines()]
    assert {"models …", "writing …"} <= {entry["event"] for entry in entries}
    assert all({"event", "level", "logger", "timestamp"} <= set(entry) for entry in entries)


def test_a_dry_run_prints_plan_and_counts_and_writes_nothing(reachable: Simulator, folder: Path, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--dry-run")
    assert done.code == 0
    assert done.out.startswith("Dry run: nothing was written. A run would insert 2 ML repos, 6 models, 12 versions.\n")
    assert list(folder.iterdir()) == []
    assert json.loads(tfy_etl("sync", "--dry-run", "--output", "json").out)["run_id"] is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--fqn", "model:acme/a/b"], {"fqn": "model:acme/a/b"}),
        (["--name", "b"], {"name": "b"}),
        (["--run-id", "r"], {"run_id": "r"}),
        (["--exclude-empty"], {"include_empty_models": "false"}),
        (["--ml-repo", "2", "--ml-repo", "1"], {"ml_repo_id": "1"}),
    ],
)
def test_filters_reach_the_control_plane(
    arguments: list[str], expected: dict[str, str], ready: Simulator, tfy_etl: Cli
) -> None:
    assert tfy_etl("sync", *arguments).code == 0
    queries = [each.query for each in ready.log if each.path.endswith("/models")]
    assert any(expected.items() <= query.items() for query in queries[1:])


def test_latest_versions_are_read_with_their_models(ready: Simulator, tfy_etl: Cli) -> None:
    result = json.loads(tfy_etl("sync", "--versions", "latest", "--output", "json").out)
    assert result["model_versions"]["seen"] == 6
    assert not any(each.path.endswith("/model-versions") for each in ready.log)


def test_full_and_full_every_compare_every_version(ready: Simulator, tfy_etl: Cli) -> None:
    def mode(*arguments: str) -> str:
        return str(json.loads(tfy_etl("sync", "--output", "json", *arguments).out)["mode"])

    assert [mode(), mode(), mode("--full"), mode("--full-every", "0s")] == ["full", "incremental", "full", "full"]


def test_rejected_records_exit_with_3_and_are_counted(ready: Simulator, registry: Registry, tfy_etl: Cli) -> None:
    registry.put_raw(MODELS, "odd", {"name": "a model without an id"})
    done = tfy_etl("sync")
    assert done.code == 3
    assert done.out.startswith("Partly up to date: 6 models, ")
    assert "1 record was rejected: tfy-etl rejected list shows the reasons.\n" in done.out
    head, *rows = [line.split() for line in done.out.splitlines()[1:5]]
    assert head == ["read", "inserted", "updated", "unchanged", "rejected", "deleted"]
    for row in rows:
        seen, *others, _deleted = map(int, row[-6:])
        assert seen == sum(others)


def test_an_unproven_list_exits_with_3_and_its_reason(ready: Simulator, tfy_etl: Cli) -> None:
    ready.faults = [fault("moving")]
    done = tfy_etl("sync", "--max-sweeps", "1", "--page-size", "2")
    assert done.code == 3
    assert done.out.startswith("Partly up to date: ")
    assert "Not proven complete: nothing was deleted; covers all versions of each model.\n" in done.out
    assert "Warning: The list of models could not be proven complete in 1 sweep: it changes during the read" in done.out


def test_the_json_result_of_a_failed_run_is_one_object(ready: Simulator, registry: Registry, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    for model in registry.ids(MODELS)[:4]:
        registry.delete_model(model)
    done = tfy_etl("sync", "--output", "json")
    result = json.loads(done.out)
    assert (done.code, result["status"], result["complete"]) == (5, "refused", False)
    assert done.err.endswith(f"Error: {result['error']}\n")

    ready.faults = [fault("expired_token_after:0")]
    failed = json.loads(tfy_etl("sync", "--output", "json").out)
    assert failed["status"] == "failed"
    assert "401" in failed["error"]


def test_a_filter_without_matches_stores_no_scope(ready: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--name", "mispelt")
    assert done.code == 0
    assert "No model matches the filters of this run." in done.out
    assert json.loads(tfy_etl("status", "--output", "json").out)["freshness"] == []
    assert tfy_etl("status", "--max-age", "1h").code == 1


def test_too_many_deletes_exit_with_5_unless_allowed(ready: Simulator, registry: Registry, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    for model in registry.ids(MODELS)[:4]:
        registry.delete_model(model)
    done = tfy_etl("sync", "--full")
    assert done.code == 5
    assert "--allow-mass-delete" in done.err
    assert tfy_etl("sync", "--full", "--no-delete").code == 0
    assert tfy_etl("sync", "--full", "--max-delete-share", "1").code == 0


def test_allow_mass_delete_permits_any_number_of_deletes(ready: Simulator, registry: Registry, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    for model in registry.ids(MODELS):
        registry.delete_model(model)
    result = json.loads(tfy_etl("sync", "--full", "--allow-mass-delete", "--output", "json").out)
    assert result["models"]["deleted"] == 6


def test_a_held_lock_exits_with_4_at_once_or_after_the_lock_wait(ready: Simulator, tfy_etl: Cli) -> None:
    with Store("sqlite:///tfy-registry.db") as store:
        store.lock(ALL_REPOS, 0)
        at_once, start = tfy_etl("sync"), time.monotonic()
        waited = tfy_etl("sync", "--lock-wait", "0.5")
        assert time.monotonic() - start >= 0.5
    for done in (at_once, waited):
        assert (done.code, "--lock-wait" in done.err, ready.log) == (4, True, [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_130_and_one_line(number: signal.Signals, plane: Simulator, folder: Path) -> None:
    requested, release = threading.Event(), threading.Event()

    def hold(request: int, *_: object) -> None:
        if request > 1:
            requested.set()
            release.wait(patience())

    plane.before_request = hold
    environment = os.environ | {"TFY_HOST": plane.url, "TFY_API_KEY": TOKEN, "TFY_ETL_LOG_LEVEL": "error"}
    process = subprocess.Popen(
        [COMMAND, "sync"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert requested.wait(patience())
    process.send_signal(number)
    out, err = process.communicate(timeout=patience())
    release.set()
    assert (process.returncode, out, err) == (130, "", "Error: Interrupted: no record was written.\n")


def test_a_signal_ends_a_run_that_waits_for_its_next_request(ready: Simulator, folder: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "sync", "--requests-per-second", "0.001"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    next(line for line in process.stderr if "the API of " in line)  # one request was sent, the next waits
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=patience())
    assert (process.returncode, out, len(ready.log)) == (130, "", 1)
    assert err.splitlines()[-1] == "Error: Interrupted: no record was written."


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize("to", ["> /dev/full", "> /dev/full 2>&1", ">&-"])
def test_a_result_that_cannot_be_printed_changes_no_exit_code(
    to: str, output: str, ready: Simulator, folder: Path
) -> None:
    done = execute("/bin/sh", "-c", f"{COMMAND} --log-level error sync --output {output} {to}", cwd=folder)
    assert (done.code, done.out) == (0, "")
    error = "cannot print the result: No space left on device"
    assert [line.partition("] ")[2].partition(" [")[0] for line in done.err.splitlines()] == (
        [error] if to == "> /dev/full" else []
    )


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_closed_pipe_changes_no_exit_code(output: str, ready: Simulator, folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [COMMAND, "sync", "--output", output, "--log-level", "warning"], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    _, err = process.communicate(timeout=patience())
    assert (process.returncode, err) == (0, b"")


def test_a_reader_of_only_the_first_line_causes_no_log_line(ready: Simulator, folder: Path) -> None:
    line = f"{COMMAND} --log-level warning sync | head -1"
    assert execute("/bin/sh", "-c", line, cwd=folder) == (0, "Up to date: 6 models, 12 versions in 2 ML repos\n", "")


def test_a_dry_run_that_cannot_be_printed_fails(ready: Simulator, folder: Path) -> None:
    done = execute("/bin/sh", "-c", f"{COMMAND} sync --dry-run > /dev/full", cwd=folder)
    assert done.code != 0
    assert done.err.splitlines()[-1] == (
        "Error: Cannot print the result: No space left on device. Fix the target of stdout, then run again."
    )


def test_a_signal_after_the_commit_changes_no_exit_code(ready: Simulator, folder: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):  # once the pipe is full
        while True:
            os.write(writer, b" " * 1024)
    os.set_blocking(writer, True)
    process = subprocess.Popen([COMMAND, "sync", "--log-format", "json"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert process.stderr is not None
    ended = next(line for line in process.stderr if b" ended: succeeded; " in line)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    with os.fdopen(reader, "rb") as pipe, process:
        assert pipe.read().lstrip().startswith(b"Up to date: ")
    assert process.returncode == 0
    assert json.loads(ended)["event"].endswith("models: 6 seen, 6 inserted; model_versions: 12 seen, 12 inserted")


def test_bars_show_on_a_terminal_and_leave_the_result_clean(plane: Simulator, folder: Path) -> None:
    plane.latency = 0.05
    terminal, child_end = pty.openpty()
    environment = os.environ | {"TFY_HOST": plane.url, "TFY_API_KEY": TOKEN, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [COMMAND, "sync", "--output", "json"], env=environment, stdout=subprocess.PIPE, stderr=child_end, text=True
    ) as process:
        os.close(child_end)
        output = _read_terminal(terminal)
        assert process.stdout is not None
        result = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert set(result) == KEYS
    for part in ("ML repos", "models", "versions", "writing", "━━━", "pages"):
        assert part in output
    assert "\x1b[" in output


def _read_terminal(terminal: int) -> str:
    """The output on a terminal, until the process closes it."""
    output = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux reports a closed terminal as an error
            chunk = b""
        if not chunk:
            os.close(terminal)
            return output.decode()
        output += chunk


def test_without_a_terminal_progress_options_select_lines_bars_or_nothing(ready: Simulator, tfy_etl: Cli) -> None:
    assert "models …" in tfy_etl("sync").err
    assert "models …" not in tfy_etl("sync", "--no-progress").err
    with_bars = tfy_etl("sync", "--progress", "--output", "json")
    assert "models …" not in with_bars.err
    assert "pages" in with_bars.err
    json.loads(with_bars.out)
