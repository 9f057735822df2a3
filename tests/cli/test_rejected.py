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
def mirror(migrated_url: str) -> Iterator[SyncEnv]:
    with sync_env(migrated_url) as mirror:
        yield mirror


def rejected(mirror: SyncEnv, *arguments: str, exit_code: int = 0) -> list[str]:
    """The lines that `tfy-etl rejected` prints."""
    return mirror.command(*arguments, command="rejected", exit_code=exit_code).splitlines()


def in_json(mirror: SyncEnv, *arguments: str, exit_code: int = 0) -> Any:
    """The JSON object that `tfy-etl rejected` prints."""
    (line,) = rejected(mirror, *arguments, "--output", "json", exit_code=exit_code)
    return json.loads(line)


def spoil(mirror: SyncEnv, *ids: str) -> None:
    """Nest records of the source too deep to be stored."""
    for each in ids:
        mirror.registry.set_fields(each, {"deep": DEEP})


def mend(mirror: SyncEnv, *ids: str) -> None:
    """Restore the records."""
    for each in ids:
        mirror.registry.set_fields(each, {"deep": None})


def test_open_records_are_listed_newest_first_and_shown_in_full(mirror: SyncEnv) -> None:
    model, version = mirror.registry.ids("models")[0], mirror.registry.ids("model-versions")[0]
    spoil(mirror, version)
    mirror.sync()
    spoil(mirror, model)
    mirror.sync()
    row = mirror.row(RejectedRecord, RejectedRecord.record_id == version)
    text = rejected(mirror, "list")
    listed = in_json(mirror, "list", "--limit", "1")
    shown = rejected(mirror, "show", str(row["id"]))
    facts = dict(line.split(maxsplit=1) for line in shown[: shown.index("{")])

    assert text[0].split() == ["id", "rejected,", "UTC", "entity", "record", "reason"]
    assert [line.split()[3:5] for line in text if line[0].isdecimal()] == [
        ["models", model],
        ["model_versions", version],
    ]
    assert (listed["count"], [each["record_id"] for each in listed["rejected"]]) == (2, [model])
    assert (facts["record"], facts["reason"], facts["run"]) == (version, row["reason"], row["run_id"])
    assert (facts["host"], facts["resolved"]) == (mirror.plane.url, "no (open)")
    assert json.loads("".join(shown[shown.index("{") :])) == json.loads(row["payload"])


def test_a_retry_prints_the_result_of_each_record(mirror: SyncEnv) -> None:
    mended, gone, bad = mirror.registry.ids("models")[:3]
    spoil(mirror, mended, gone, bad)
    mirror.sync()
    numbers = {row["record_id"]: row["id"] for row in mirror.rows(RejectedRecord)}
    reason = mirror.rows(RejectedRecord)[0]["reason"]
    mend(mirror, mended)
    mirror.registry.delete_model(gone)
    some = rejected(mirror, "retry", exit_code=3)
    mend(mirror, bad)
    rest = in_json(mirror, "retry")

    assert sorted(some) == sorted(
        [
            f"{numbers[mended]}  models {mended}: stored",
            f"{numbers[gone]}  models {gone}: deleted at the source",
            f"{numbers[bad]}  models {bad}: still rejected: {reason}",
        ]
    )
    assert rest["records"] == [
        {"id": numbers[bad], "entity": "models", "record_id": bad, "outcome": "stored", "reason": None}
    ]
    assert rest["status"] == mirror.row(SyncRun, SyncRun.id == rest["run_id"])["status"] == "succeeded"
    assert rejected(mirror, "list") == ["There are no open rejected records."]
    assert in_json(mirror, "list", "--all")["count"] == 3
    assert mirror.held()["models"] == mirror.served()["models"]


def test_a_retry_fetches_only_given_records_that_are_open(mirror: SyncEnv) -> None:
    first, second = mirror.registry.ids("models")[:2]
    spoil(mirror, first, second)
    mirror.sync()
    number = str(mirror.row(RejectedRecord, RejectedRecord.record_id == first)["id"])
    mend(mirror, first, second)
    one = rejected(mirror, "retry", number)
    asked = len(mirror.plane.log)
    again = rejected(mirror, "retry", number)
    unknown = rejected(mirror, "retry", number, "77", exit_code=2)

    assert one == [f"{number}  models {first}: stored"]
    assert again == [f"{number}  models {first}: already resolved"]
    assert unknown == ["Error: There is no rejected record 77: tfy-etl rejected list --all shows all."]
    assert len(mirror.plane.log) == asked
    assert mirror.row(RejectedRecord, RejectedRecord.resolved_at.is_(None))["record_id"] == second


def test_a_retry_without_open_records_sends_no_request(mirror: SyncEnv, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('output = "json"\nlock-wait = 5')

    assert rejected(mirror, "list", "--all") == ["There are no rejected records."]
    assert rejected(mirror, "retry") == ["There are no open rejected records."]
    assert rejected(mirror, "retry", "--config", str(config)) == ['{"run_id": null, "status": null, "records": []}']
    assert (mirror.plane.log, mirror.rows(SyncRun)) == ([], [])


def test_a_refused_token_ends_a_retry_before_it_writes(mirror: SyncEnv) -> None:
    spoil(mirror, mirror.registry.ids("models")[0])
    mirror.sync()
    before = mirror.registry_dump()
    mirror.plane.token = "another"
    said = rejected(mirror, "retry", exit_code=2)

    assert said[-1].startswith("Error: The control plane refused the token (401)")
    assert mirror.registry_dump() == before
    assert sorted(run["status"] for run in mirror.rows(SyncRun)) == ["failed", "partial"]


@pytest.mark.parametrize("arguments", [["list"], ["show", "1"], ["retry"]], ids=min)
def test_rejected_without_a_database_is_an_error(database_url: str, arguments: list[str]) -> None:
    with sync_env(database_url) as mirror:
        (said,) = rejected(mirror, *arguments, exit_code=2)

        assert "is not there" in said or "has no tables of tfy-etl yet" in said
        assert mirror.plane.log == []


def test_a_retry_exits_or_waits_if_a_run_holds_the_lock(mirror: SyncEnv) -> None:
    model = mirror.registry.ids("models")[0]
    spoil(mirror, model)
    mirror.sync()
    with paused_run(mirror, "--ml-repo", "1") as (first, go_on):
        refused = rejected(mirror, "retry", exit_code=4)
        mend(mirror, model)
        waiting = mirror.start("retry", "--lock-wait", "60", command="rejected")
        go_on()
        first.communicate(timeout=patience())
        waiting.communicate(timeout=patience())

    assert "Another run is at work" in refused[-1]
    assert (first.returncode, waiting.returncode) == (0, 0)
    assert mirror.held() == mirror.served()


def test_rejected_records_are_printed_sanitized(mirror: SyncEnv) -> None:
    hostile = "[red]\x1b[2J\u202e\x00 half \ud800\r"
    record = {"id": hostile, hostile: DEEP, "del": "\x7f"}
    mirror.registry.put_raw("models", "odd", record)
    mirror.sync()
    number = str(mirror.row(RejectedRecord)["id"])
    printed = [
        mirror.command(*arguments, command="rejected", exit_code=code)
        for *arguments, code in (("list", 0), ("show", number, 0), ("retry", 3))
    ]
    shown = printed[1].split("\n")

    assert all(line.isprintable() for text in printed for line in text.split("\n"))
    assert r"[red]\x1b[2J\u202e\x00 half \ud800\r: still rejected" in printed[2]
    assert json.loads("".join(shown[shown.index("{") :])) == record


def test_a_payload_nested_too_deep_is_printed_unchanged(mirror: SyncEnv) -> None:
    payload = "[" * 20_000 + "]" * 20_000
    mirror.registry.put_raw("models", "odd", {"name": "no id"})
    mirror.sync()
    mirror.execute(f"UPDATE rejected_records SET payload = '{payload}'")  # noqa: S608 brackets alone

    assert rejected(mirror, "show", str(mirror.row(RejectedRecord)["id"]))[-1] == payload
