import json
import re
from typing import Any

import pytest

from etl.enums import Entity
from etl.errors import SourceUnavailable
from etl.models import Change, Model, ModelVersion, RejectedRecord, SyncRun, SyncScope
from etl.simulator import Fault, fault
from etl.simulator.http_types import Response, html_response, refusal
from etl.store import open_readonly, rejected_records
from etl.sync import Interrupts, RejectedRetry, RetryResult, run
from tests.support.sync_env import Silent, SyncEnv

DEEP = json.loads("[" * 300 + "]" * 300)
NOT_REQUESTED = "the next sync reads it from the lists"


def spoil(env: SyncEnv, *ids: str) -> None:
    """Nest records of the source too deep to be stored."""
    for each in ids:
        env.registry.set_fields(each, {"deep": DEEP})


def repair(env: SyncEnv, *ids: str) -> None:
    """Undo `spoil`."""
    for each in ids:
        env.registry.set_fields(each, {"deep": None})


def retry_all(env: SyncEnv, **given: Any) -> dict[str | None, RetryResult]:
    """Retry all open records, and return the result of each by its record id."""
    with open_readonly(env.url) as connection:
        retry = RejectedRetry(rejected_records.list_rejected(connection, also_resolved=False))
    run(env.settings(**given), interrupts=Interrupts(), progress=Silent(), retry=retry)
    return {each.record_id: retry.results[each.id] for each in retry.rejects}


def open_ids(env: SyncEnv) -> list[str | None]:
    return [row["record_id"] for row in env.rows(RejectedRecord, RejectedRecord.resolved_at.is_(None))]


def test_repaired_records_are_stored_and_no_others_are_read(env: SyncEnv) -> None:
    ids = [env.registry.ids(entity)[0] for entity in ("ml-repos", "models", "model-versions")]
    spoil(env, *ids)
    env.sync()
    scope, requests = env.rows(SyncScope), len(env.plane.log)
    repair(env, *ids)
    results = retry_all(env)
    row = max(env.rows(SyncRun), key=lambda run: run["started_at"])

    assert results == dict.fromkeys(ids, RetryResult("stored"))
    assert env.held() == env.served()
    assert sorted(logged.path.split("/", 4)[4] for logged in env.plane.log[requests:]) == sorted(
        ["models", f"model-versions/{ids[2]}", f"models/{ids[1]}", "ml-repos"]
    )
    assert (row["status"], row["complete"], row["mode"], row["proof"]) == ("succeeded", True, "incremental", None)
    assert sorted(row["scope"]["rejected"]) == [each["id"] for each in env.rows(RejectedRecord)]
    assert {(change["run_id"], change["kind"]) for change in env.rows(Change)} == {(row["id"], "created")}
    assert env.rows(SyncScope) == scope


def test_missing_record_is_resolved_and_deleted_by_the_next_sync(env: SyncEnv) -> None:
    model, version = env.registry.ids("models")[0], env.registry.ids("model-versions")[5]
    env.sync()
    spoil(env, model, version)
    env.sync(full=True)
    env.registry.delete_version(version)
    env.registry.delete_model(model)
    results = retry_all(env)
    live = {row["id"] for of in (Model, ModelVersion) for row in env.rows(of, of.deleted_at.is_(None))}

    assert results == dict.fromkeys((model, version), RetryResult("missing"))
    assert open_ids(env) == []
    assert {model, version} <= live
    assert env.sync().tallies[Entity.MODELS].deleted == 1
    assert env.held() == env.served()


def test_record_that_is_still_invalid_stays_open_in_its_old_and_new_form(env: SyncEnv) -> None:
    same, other, repaired = env.registry.ids("models")[:3]
    spoil(env, same, other, repaired)
    env.registry.put_raw("models", "odd", {"name": "nobody"})
    env.sync()
    reason = env.row(RejectedRecord, RejectedRecord.record_id == same)["reason"]
    repair(env, repaired)
    env.registry.set_fields(other, {"deep": [DEEP]})
    results = retry_all(env)

    assert results[None] == RetryResult("rejected", f"it has no id; {NOT_REQUESTED}")
    assert results[same] == results[other] == RetryResult("rejected", reason)
    assert results[repaired] == RetryResult("stored")
    assert sorted(open_ids(env), key=str) == sorted([None, same, other, other], key=str)
    assert sorted(row["status"] for row in env.rows(SyncRun)) == ["partial", "partial"]


@pytest.mark.parametrize("scope", [{}, {"ml_repo": ("1",)}, {"versions": "latest"}], ids=str)
def test_next_sync_supersedes_the_previous_version_of_a_repaired_model(env: SyncEnv, scope: Any) -> None:
    env.plane.offers = frozenset({"models"})
    env.sync(**scope)
    model = env.registry.ids("models")[0]
    (old,) = [row["id"] for row in env.rows(ModelVersion, ModelVersion.model_id == model)]
    spoil(env, model)
    env.sync(**scope)
    repair(env, model)
    new = env.registry.add_version(model)
    retry_all(env)
    env.sync(**scope)
    superseded = {row["id"]: row["superseded_at"] is not None for row in env.rows(ModelVersion)}

    assert (superseded[old], superseded[new]) == (True, False)


def test_a_version_is_current_when_a_retry_stores_it_as_the_latest_again(env: SyncEnv) -> None:
    env.plane.offers = frozenset({"models"})
    env.sync()
    model = env.registry.ids("models")[0]
    (old,) = [row["id"] for row in env.rows(ModelVersion, ModelVersion.model_id == model)]
    new = env.registry.add_version(model)
    env.sync()
    spoil(env, model)
    env.sync()
    repair(env, model)
    env.registry.delete_version(new)
    retry_all(env)
    superseded = {row["id"]: row["superseded_at"] is not None for row in env.rows(ModelVersion)}

    assert (superseded[old], superseded[new]) == (False, True)


def test_retry_of_a_version_does_not_mark_its_model_as_read(env: SyncEnv) -> None:
    env.sync()
    first, second = env.registry.ids("model-versions")[:2]
    spoil(env, first)
    env.sync(full=True)
    repair(env, first)
    env.registry.set_description(second, "Meanwhile.", touch=False)
    retry_all(env)
    env.sync()

    assert env.held() == env.served()


@pytest.mark.parametrize("record_id", [".", "..", "half \ud800"])
def test_record_whose_id_fits_no_url_waits_for_the_next_sync(env: SyncEnv, record_id: str) -> None:
    env.registry.put_raw("models", "odd", {"id": record_id, "deep": DEEP})
    env.sync()

    assert retry_all(env) == {record_id: RetryResult("rejected", f"its id cannot be part of a URL; {NOT_REQUESTED}")}
    assert open_ids(env) == [record_id]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refusal(422, "No."), r"The control plane refused .* \(422 .*"),
        (refusal(403, "No."), r"The control plane refused .* \(403 .*"),
        (html_response(), ".* answered 200 with an HTML page: it offers no single records."),
        (Response(body=b'{"data":{"id":"another"}}'), "the control plane returned another record instead"),
    ],
    ids=["422", "403", "a page for browsers", "another record"],
)
def test_record_that_cannot_be_fetched_stays_open_and_the_others_are_stored(
    env: SyncEnv, answer: Response, reason: str
) -> None:
    unavailable, available = env.registry.ids("models")[:2]
    spoil(env, unavailable, available)
    env.sync()
    repair(env, unavailable, available)
    env.plane.faults = [answer_for(unavailable, answer)]
    results = retry_all(env)

    assert results[available] == RetryResult("stored")
    assert results[unavailable].outcome == "rejected"
    assert re.fullmatch(reason, str(results[unavailable].reason))
    assert open_ids(env) == [unavailable]
    assert [(row["status"], row["complete"]) for row in env.rows(SyncRun, SyncRun.proof.is_(None))] == [
        ("partial", False)
    ]


def test_retry_fails_and_writes_nothing_if_the_control_plane_is_down(env: SyncEnv) -> None:
    first, second = env.registry.ids("models")[:2]
    spoil(env, first, second)
    env.sync()
    before = env.registry_dump()
    repair(env, first, second)
    env.plane.faults = [answer_for(first, refusal(503, "Not now."))]
    with pytest.raises(SourceUnavailable):
        retry_all(env)

    assert env.registry_dump() == before
    assert sorted(row["status"] for row in env.rows(SyncRun)) == ["failed", "partial"]


def test_ml_repo_missing_from_an_unproven_list_does_not_count_as_missing(env: SyncEnv) -> None:
    repo = env.registry.ids("ml-repos")[0]
    spoil(env, repo)
    env.sync()
    env.registry.delete_ml_repo(repo)
    env.plane.faults = [fault("no_total,endpoint=ml-repos")]
    unproven, proven = retry_all(env, max_sweeps=1), retry_all(env)

    assert unproven == {repo: RetryResult("rejected", "the list of ML repos could not be proven complete")}
    assert proven == {repo: RetryResult("missing")}


def test_restored_model_is_stored_with_its_versions(env: SyncEnv) -> None:
    model = env.registry.ids("models")[0]
    env.sync()
    env.registry.delete_model(model)
    env.sync()
    env.registry.restore(model)
    spoil(env, model)
    env.sync(name=env.registry.get("models", model)["name"])
    repair(env, model)
    retry_all(env)

    assert env.held() == env.served()


def answer_for(record_id: str, answer: Response) -> Fault:
    """Give this answer to requests for one record."""
    return Fault(lambda context, proceed: answer if context.request.path.endswith(record_id) else proceed())
