import json
import logging
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from etl.cli.check import split_fix
from etl.simulator import Fault, Registry, Simulator, fault
from etl.simulator.http_types import Response
from etl.store import ALL_REPOS, Store
from tests.e2e.cli.commands import TOKEN
from tests.e2e.cli.conftest import Cli


def check_results(out: str) -> dict[str, str]:
    """The result of each check, by name."""
    return {line.split()[1]: line.split()[0] for line in out.splitlines()}


GRANT = "(403; grant it permission to read them)"
LISTS = ("models", "ml-repos", "model-versions")
ALL_OK = dict.fromkeys(
    ("host", "token", "API", "models", "ml-repos", "model-versions", "database", "schema", "copy", "lock"), "ok"
)


def test_before_the_first_run_every_check_passes_and_writes_nothing(
    reachable: Simulator, folder: Path, tfy_etl: Cli
) -> None:
    done = tfy_etl("check")
    assert done.code == 0
    assert check_results(done.out) == ALL_OK
    assert "does not exist yet: sync creates it" in done.out
    assert list(folder.iterdir()) == []


def test_after_a_run_every_check_passes(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    done = tfy_etl("check")
    assert (done.code, check_results(done.out)) == (0, ALL_OK)


def test_checks_hide_info_logs_except_at_level_debug(ready: Simulator, tfy_etl: Cli) -> None:
    assert tfy_etl("check").err == ""
    assert " is at /api/ml/v1 [etl.source" in tfy_etl("check", "--log-level", "debug").err


@pytest.mark.parametrize(
    ("log_level", "effective_level"),
    [("debug", logging.DEBUG), ("info", logging.WARNING), ("warning", logging.WARNING), ("error", logging.ERROR)],
)
def test_warnings_are_logged_by_default_and_the_level_is_restored(
    log_level: str, effective_level: int, ready: Simulator, tfy_etl: Cli
) -> None:
    log, levels = logging.getLogger("etl"), set[int]()
    ready.before_request = lambda *_: levels.add(log.getEffectiveLevel())
    tfy_etl("check", "--log-level", log_level)
    assert (levels, log.level) == ({effective_level}, logging.NOTSET)


def test_the_api_is_detected_once_and_each_list_requested_once(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("check")
    assert [each.path for each in ready.log] == [
        "/api/ml/v1/models",  # the prefix is found
        "/api/ml/v1/models",
        "/api/ml/v1/ml-repos",
        "/api/ml/v1/model-versions",
    ]


def test_dependent_checks_are_skipped_and_the_first_failure_sets_the_exit_code(tfy_etl: Cli) -> None:
    done = tfy_etl("check", "--database-url", "sqlite:///no/such/folder.db")
    assert done.code == 2
    assert check_results(done.out) == {
        "host": "FAILED",
        "token": "FAILED",
        "API": "skipped",
        "models": "skipped",
        "ml-repos": "skipped",
        "model-versions": "skipped",
        "database": "FAILED",
        "schema": "skipped",
        "copy": "skipped",
        "lock": "skipped",
    }
    assert "API             requires host and token" in done.out


def test_a_transient_failure_is_not_retried_and_the_database_is_still_checked(ready: Simulator, tfy_etl: Cli) -> None:
    ready.faults = [fault("flaky_500:503")]
    done = tfy_etl("check")
    assert done.code == 1
    assert check_results(done.out) == ALL_OK | {"API": "FAILED"} | dict.fromkeys(LISTS, "skipped")
    assert len(ready.log) == 1


def check_detail(out: str, name: str) -> str:
    """The detail that is printed for the check with this name."""
    (line,) = [line for line in out.splitlines() if line.split()[1] == name]
    return line.partition(name)[2].strip()


@pytest.mark.parametrize(
    ("behaviour", "ml_repos", "versions"),
    [
        (
            {"offers": frozenset({"models"})},
            "the list of ML repos is not offered here (404): ML repos will be derived from their models",
            "the list of model versions is not offered here (404): only latest versions will be copied",
        ),
        (
            {"forbids": frozenset({"ml-repos", "model-versions"})},
            f"the token may not list ML repos {GRANT}: ML repos will be derived from their models",
            f"the token may not list model versions {GRANT}: only latest versions will be copied",
        ),
        ({}, "listed", "listed: every version will be copied"),
    ],
)
def test_each_list_is_checked_and_its_consequence_is_shown(
    ready: Simulator, tfy_etl: Cli, behaviour: dict[str, frozenset[str]], ml_repos: str, versions: str
) -> None:
    for name, value in behaviour.items():
        setattr(ready, name, value)
    done = tfy_etl("check")
    assert (done.code, check_results(done.out)) == (0, ALL_OK)
    assert (check_detail(done.out, "ml-repos"), check_detail(done.out, "model-versions")) == (ml_repos, versions)


@pytest.mark.parametrize("first", [b"7", b"null", b'{"name":"without an id"}', b'{"id":[],"ml_repo_id":{}}'])
def test_a_malformed_first_model_does_not_fail_the_check(ready: Simulator, tfy_etl: Cli, first: bytes) -> None:
    ready.faults = [
        Fault(lambda _, __: Response(body=b'{"data":[%b],"pagination":{"total":1}}' % first), endpoint="models")
    ]
    done = tfy_etl("check")
    assert (done.code, check_results(done.out)) == (0, ALL_OK)


def test_check_passes_if_versions_are_listed_by_model_only(ready: Simulator, tfy_etl: Cli) -> None:
    ready.faults = [fault("forbid_unfiltered")]
    done = tfy_etl("check")
    assert (done.code, check_results(done.out)) == (0, ALL_OK)


@pytest.mark.parametrize("command", ["check", "sync"])
def test_foreign_tables_fail_the_check(command: str, reachable: Simulator, folder: Path, tfy_etl: Cli) -> None:
    with closing(sqlite3.connect(folder / "tfy-registry.db")) as database:
        database.execute("CREATE TABLE models (x)")
    done = tfy_etl(command)
    assert done.code == 2
    assert "has a table models already, not created by tfy-etl" in done.out + done.err


def test_a_database_path_that_is_a_device_fails_the_sync(ready: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--database-url", "sqlite:////dev/null")
    assert (done.code, done.err) == (
        2,
        "Error: /dev/null is not a file: name one in TFY_ETL_DATABASE_URL or --database-url.\n",
    )
    assert not Path("/dev/null.lock").exists()


def test_a_held_lock_fails_the_check(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    with Store("sqlite:///tfy-registry.db") as store:
        store.lock(ALL_REPOS, 0)
        done = tfy_etl("check")
    assert (done.code, check_results(done.out)) == (4, ALL_OK | {"lock": "FAILED"})


@pytest.mark.parametrize(("mode", "warning"), [(0o644, "can read the token file token"), (0o640, ""), (0o600, "")])
def test_a_world_readable_token_file_is_a_warning(
    mode: int, warning: str, plane: Simulator, folder: Path, tfy_etl: Cli
) -> None:
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(mode)
    for command in ("check", "sync"):
        done = tfy_etl(command, "--host", plane.url, "--api-key-file", "token")
        assert done.code == 0
        assert warning in done.err
        assert bool(warning) == ("[warning]" in done.err)


@pytest.fixture
def plane_with_prefix() -> Callable[[str], Simulator]:
    def make(path_prefix: str) -> Simulator:
        return Simulator(Registry.generate(1, models=1), token=TOKEN, path_prefix=path_prefix)

    return make


def test_a_path_prefix_and_the_newer_api_are_found(
    plane_with_prefix: Callable[[str], Simulator], tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    with plane_with_prefix("/corp/tfy") as plane:
        plane.prefixes = ("/api/svc/v1",)
        done = tfy_etl("check", "--host", plane.url)
    assert done.code == 0
    assert "/api/svc/v1 responds" in done.out


def test_a_database_of_another_control_plane_fails_the_check(
    ready: Simulator, registry: Registry, tfy_etl: Cli
) -> None:
    tfy_etl("sync")
    with Simulator(registry, token=TOKEN) as other:
        done = tfy_etl("check", "--host", other.url)
    assert (done.code, check_results(done.out)) == (2, ALL_OK | {"copy": "FAILED"})
    assert f"was filled from {ready.url}, and not from {other.url}" in done.out


def test_json_has_each_check_with_its_detail_and_the_fix_of_a_failure(ready: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("check", "--output", "json")
    result = json.loads(done.out)
    assert (done.code, result["ok"]) == (0, True)
    assert {each["name"]: each["ok"] for each in result["checks"]} == dict.fromkeys(ALL_OK, True)
    assert {each["fix"] for each in result["checks"]} == {None}
    done = tfy_etl("check", "--output", "json", "--database-url", "sqlite:///no/such/folder.db")
    result = json.loads(done.out)
    assert (done.code, done.err, result["ok"]) == (2, "", False)
    assert result["checks"][6:8] == [
        {
            "name": "database",
            "ok": False,
            "detail": "The folder no/such does not exist.",
            "fix": "Create it, or change TFY_ETL_DATABASE_URL or --database-url.",
        },
        {"name": "schema", "ok": None, "detail": "requires database", "fix": None},
    ]


def test_the_help_names_every_check(tfy_etl: Cli) -> None:
    described = " ".join(tfy_etl("check", "--help").out.split()).replace("- ", "-")
    assert [name for name in ALL_OK if not re.search(rf"[ ,]{name}[,. ]", described)] == []


@pytest.mark.parametrize(
    ("message", "detail", "fix"),
    [
        ("No host is set: set TFY_HOST or pass --host https://x.example.", "No host is set.",
         "Set TFY_HOST or pass --host https://x.example."),
        ("https://x/models: no connection. See that it is up, then run again.", "https://x/models: no connection.",
         "See that it is up, then run again."),
        ("The token was refused (401): it may have expired; give a valid one.",
         "The token was refused (401): it may have expired.", "Give a valid one."),
        ("Remove /api from --host: it is detected.", "Remove /api from --host: it is detected.",
         "Remove /api from --host: it is detected."),
    ],
)  # fmt: skip
def test_a_message_is_split_into_what_failed_and_what_to_do(message: str, detail: str, fix: str) -> None:
    assert split_fix(message) == (detail, fix)


@pytest.mark.parametrize(
    "model",
    [None, {}, {"name": "no id"}, {"id": None, "ml_repo_id": 7}, {"id": 5.5}, {"id": "\ud800", "ml_repo_id": []}],
)
def test_check_passes_with_any_first_model_if_versions_are_forbidden(
    model: object, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFY_API_KEY", TOKEN)
    registry = Registry.generate(1, ml_repos=1, models=0)
    registry.put_raw("models", "odd", model)
    with Simulator(registry, token=TOKEN, forbids=frozenset({"model-versions"})) as plane:
        done = tfy_etl("check", "--host", plane.url)
    assert (done.code, done.err) == (0, "")
    assert "only latest versions will be copied" in done.out
