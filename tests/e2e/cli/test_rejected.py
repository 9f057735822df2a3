import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etl.models import RejectedRecord, SyncRun
from tests.support.faults import paused_run
from tests.support.patience import patience
from tests.support.sync_env import SyncEnv, sync_env

DEEP = json.loads("[" * 300 + "]" * 300)


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    with sync_env(migrated_url) as env:
        yield env


def rejected(env: SyncEnv, *arguments: str, exit_code: int = 0) -> list[str]:
    """The lines that `tfy-etl rejected` prints."""
    return env.command(*arguments, command="rejected", exit_code=exit_code).splitlines()


def rejected_json(env: SyncEnv, *arguments: str, exit_code: int = 0) -> Any:
    """The JSON object that `tfy-etl rejected` prints."""
    (line,) = rejected(env, *arguments, "--output", "json", exit_code=exit_code)
    return json.loads(line)


def nest_too_deep(env: SyncEnv, *ids: str) -> None:
    """Nest these source records too deep to be stored."""
    for each in ids:
        env.registry.set_fields(each, {"deep": DEEP})


def remove_nesting(env: SyncEnv, *ids: str) -> None:
    """Remove the deep nesting again, so that the records can be stored."""
    for each in ids:
        env.registry.set_fields(each, {"deep": None})


def test_open_records_are_listed_newest_first_and_shown_in_full(env: SyncEnv) -> None:
    model, version = env.registry.ids("models")[0], env.registry.ids("model-versions")[0]
    nest_too_deep(env, version)
    env.sync()
    nest_too_deep(env, model)
    env.sync()
    row = env.row(RejectedRecord, RejectedRecord.record_id == version)
    text = rejected(env, "list")
    listed = rejected_json(env, "list", "--limit", "1")
    shown = rejected(env, "show", str(row["id"]))
    fields = dict(line.split(maxsplit=1) for line in shown[: shown.index("{")])

    assert text[0].split() == ["id", "rejected,", "UTC", "entity", "record", "reason"]
    assert [line.split()[3:5] for line in text if line[0].isdecimal()] == [
        ["models", model],
        ["model_versions", version],
    ]
    assert (listed["count"], [each["record_id"] for each in listed["rejected"]]) == (2, [model])
    assert (fields["record"], fields["reason"], fields["run"]) == (version, row["reason"], row["run_id"])
    assert (fields["host"], fields["resolved"]) == (env.plane.url, "no (open)")
    assert json.loads("".join(shown[shown.index("{") :])) == json.loads(row["payload"])


def test_a_retry_prints_the_result_of_each_record(env: SyncEnv) -> None:
    fixed, deleted, invalid = env.registry.ids("models")[:3]
    nest_too_deep(env, fixed, deleted, invalid)
    env.sync()
    numbers = {row["record_id"]: row["id"] for row in env.rows(RejectedRecord)}
    reason = env.rows(RejectedRecord)[0]["reason"]
    remove_nesting(env, fixed)
    env.registry.delete_model(deleted)
    first_retry = rejected(env, "retry", exit_code=3)
    remove_nesting(env, invalid)
    second_retry = rejected_json(env, "retry")

    assert sorted(first_retry) == sorted(
        [
            f"{numbers[fixed]}  models {fixed}: stored",
            f"{numbers[deleted]}  models {deleted}: deleted at the source",
            f"{numbers[invalid]}  models {invalid}: still rejected: {reason}",
        ]
    )
    assert second_retry["records"] == [
        {"id": numbers[invalid], "entity": "models", "record_id": invalid, "outcome": "stored", "reason": None}
    ]
    assert second_retry["status"] == env.row(SyncRun, SyncRun.id == second_retry["run_id"])["status"] == "succeeded"
    assert rejected(env, "list") == ["There are no open rejected records."]
    assert rejected_json(env, "list", "--all")["count"] == 3
    assert env.held()["models"] == env.served()["models"]


def test_a_retry_fetches_only_given_records_that_are_open(env: SyncEnv) -> None:
    first, second = env.registry.ids("models")[:2]
    nest_too_deep(env, first, second)
    env.sync()
    number = str(env.row(RejectedRecord, RejectedRecord.record_id == first)["id"])
    remove_nesting(env, first, second)
    one = rejected(env, "retry", number)
    requests = len(env.plane.log)
    again = rejected(env, "retry", number)
    unknown = rejected(env, "retry", number, "77", exit_code=2)

    assert one == [f"{number}  models {first}: stored"]
    assert again == [f"{number}  models {first}: already resolved"]
    assert unknown == ["Error: There is no rejected record 77: tfy-etl rejected list --all shows all."]
    assert len(env.plane.log) == requests
    assert env.row(RejectedRecord, RejectedRecord.resolved_at.is_(None))["record_id"] == second


def test_a_retry_has_a_time_limit_and_accepts_another_host_as_a_sync_does(env: SyncEnv) -> None:
    model = env.registry.ids("models")[0]
    nest_too_deep(env, model)
    env.sync()
    remove_nesting(env, model)
    with sync_env(env.url, env.registry) as other_host:
        refused = rejected(other_host, "retry", exit_code=2)
        timed_out = rejected(other_host, "retry", "--accept-host", "--max-run-time", "0.000001s", exit_code=1)
        stored = rejected(other_host, "retry", "--accept-host")

    assert "--accept-host" in refused[-1]
    assert "--max-run-time" in timed_out[-1]
    assert [line.split("  ")[1] for line in stored] == [f"models {model}: stored"]


def test_a_retry_without_open_records_sends_no_request(env: SyncEnv, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('output = "json"\nlock-wait = 5')

    assert rejected(env, "list", "--all") == ["There are no rejected records."]
    assert rejected(env, "retry") == ["There are no open rejected records."]
    assert rejected(env, "retry", "--config", str(config)) == ['{"run_id": null, "status": null, "records": []}']
    assert (env.plane.log, env.rows(SyncRun)) == ([], [])


def test_a_refused_token_fails_a_retry_before_it_writes(env: SyncEnv) -> None:
    nest_too_deep(env, env.registry.ids("models")[0])
    env.sync()
    before = env.registry_dump()
    env.plane.token = "another"
    lines = rejected(env, "retry", exit_code=2)

    assert lines[-1].startswith("Error: The control plane refused the token (401)")
    assert env.registry_dump() == before
    assert sorted(run["status"] for run in env.rows(SyncRun)) == ["failed", "partial"]


@pytest.mark.parametrize("arguments", [["list"], ["show", "1"], ["retry"]], ids=min)
def test_rejected_without_a_database_is_an_error(database_url: str, arguments: list[str]) -> None:
    with sync_env(database_url) as env:
        (lines,) = rejected(env, *arguments, exit_code=2)

        assert "does not exist" in lines or "has no tables of tfy-etl yet" in lines
        assert env.plane.log == []


def test_a_retry_fails_or_waits_if_a_run_holds_the_lock(env: SyncEnv) -> None:
    model = env.registry.ids("models")[0]
    nest_too_deep(env, model)
    env.sync()
    with paused_run(env, "--ml-repo", "1") as (first, resume):
        refused = rejected(env, "retry", exit_code=4)
        remove_nesting(env, model)
        waiting = env.start("retry", "--lock-wait", "60", command="rejected")
        resume()
        first.communicate(timeout=patience())
        waiting.communicate(timeout=patience())

    assert "Another run is in progress" in refused[-1]
    assert (first.returncode, waiting.returncode) == (0, 0)
    assert env.held() == env.served()


def test_rejected_records_are_printed_sanitized(env: SyncEnv) -> None:
    hostile = "[red]\x1b[2J\u202e\x00 half \ud800\r"
    record = {"id": hostile, hostile: DEEP, "del": "\x7f"}
    env.registry.put_raw("models", "odd", record)
    env.sync()
    number = str(env.row(RejectedRecord)["id"])
    printed = [
        env.command(*arguments, command="rejected", exit_code=code)
        for *arguments, code in (("list", 0), ("show", number, 0), ("retry", 3))
    ]
    shown = printed[1].split("\n")

    assert all(line.isprintable() for text in printed for line in text.split("\n"))
    assert r"[red]\x1b[2J\u202e\x00 half \ud800\r: still rejected" in printed[2]
    assert json.loads("".join(shown[shown.index("{") :])) == record


def test_a_payload_nested_too_deep_is_printed_unchanged(env: SyncEnv) -> None:
    payload = "[" * 20_000 + "]" * 20_000
    env.registry.put_raw("models", "odd", {"name": "no id"})
    env.sync()
    env.execute(f"UPDATE rejected_records SET payload = '{payload}'")  # noqa: S608 brackets alone

    assert rejected(env, "show", str(env.row(RejectedRecord)["id"]))[-1] == payload
