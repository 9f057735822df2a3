import json
import re
from typing import Any

import pytest

from etl.errors import SourceUnavailable
from etl.models import Change, Model, ModelVersion, RejectedRecord, SyncRun, SyncScope
from etl.simulator import Fault, fault
from etl.simulator.http_types import Answer, html_answer, refusal
from etl.store import open_readonly, rejected_records
from etl.sync import Fate, Interrupts, RejectedRetry, run
from tests.support.sync_env import Silent, SyncEnv

DEEP = json.loads("[" * 300 + "]" * 300)
UNASKED = "the next sync meets it again"


def spoil(mirror: SyncEnv, *ids: str) -> None:
    """Make records of the source nest too deep to be stored."""
    for each in ids:
        mirror.registry.set_fields(each, {"deep": DEEP})


def mend(mirror: SyncEnv, *ids: str) -> None:
    """Make them as they were."""
    for each in ids:
        mirror.registry.set_fields(each, {"deep": None})


def reread(mirror: SyncEnv, **given: Any) -> dict[str | None, Fate]:
    """Ask for all that is open; what became of each, by its id."""
    with open_readonly(mirror.url) as connection:
        retry = RejectedRetry(rejected_records.listed(connection, also_resolved=False))
    run(mirror.settings(**given), interrupts=Interrupts(), progress=Silent(), retry=retry)
    return {each.record_id: retry.fates[each.id] for each in retry.rejects}


def opened(mirror: SyncEnv) -> list[str | None]:
    return [row["record_id"] for row in mirror.rows(RejectedRecord, RejectedRecord.resolved_at.is_(None))]


def test_what_can_be_read_by_now_is_stored_and_nothing_else_is_read(mirror: SyncEnv) -> None:
    ids = [mirror.registry.ids(entity)[0] for entity in ("ml-repos", "models", "model-versions")]
    spoil(mirror, *ids)
    mirror.sync()
    scope, requests = mirror.rows(SyncScope), len(mirror.plane.log)
    mend(mirror, *ids)
    fates = reread(mirror)
    row = max(mirror.rows(SyncRun), key=lambda run: run["started_at"])

    assert fates == dict.fromkeys(ids, Fate("stored"))
    assert mirror.held() == mirror.served()
    assert sorted(asked.path.split("/", 4)[4] for asked in mirror.plane.log[requests:]) == sorted(
        ["models", f"model-versions/{ids[2]}", f"models/{ids[1]}", "ml-repos"]
    )
    assert (row["status"], row["complete"], row["mode"], row["proof"]) == ("succeeded", True, "incremental", None)
    assert sorted(row["scope"]["rejected"]) == [each["id"] for each in mirror.rows(RejectedRecord)]
    assert {(change["run_id"], change["kind"]) for change in mirror.rows(Change)} == {(row["id"], "created")}
    assert mirror.rows(SyncScope) == scope


def test_what_is_gone_is_resolved_and_left_to_the_next_sync_to_delete(mirror: SyncEnv) -> None:
    model, version = mirror.registry.ids("models")[0], mirror.registry.ids("model-versions")[5]
    mirror.sync()
    spoil(mirror, model, version)
    mirror.sync(full=True)
    mirror.registry.delete_version(version)
    mirror.registry.delete_model(model)
    fates = reread(mirror)
    live = {row["id"] for of in (Model, ModelVersion) for row in mirror.rows(of, of.deleted_at.is_(None))}

    assert fates == dict.fromkeys((model, version), Fate("gone"))
    assert opened(mirror) == []
    assert {model, version} <= live
    assert mirror.sync().tallies["models"].deleted == 1
    assert mirror.held() == mirror.served()


def test_what_is_still_bad_stays_open_as_it_was_and_as_it_is(mirror: SyncEnv) -> None:
    same, other, mended = mirror.registry.ids("models")[:3]
    spoil(mirror, same, other, mended)
    mirror.registry.put_raw("models", "odd", {"name": "nobody"})
    mirror.sync()
    reason = mirror.row(RejectedRecord, RejectedRecord.record_id == same)["reason"]
    mend(mirror, mended)
    mirror.registry.set_fields(other, {"deep": [DEEP]})
    fates = reread(mirror)

    assert fates[None] == Fate("rejected", f"it has no id to ask for, {UNASKED}")
    assert fates[same] == fates[other] == Fate("rejected", reason)
    assert fates[mended] == Fate("stored")
    assert sorted(opened(mirror), key=str) == sorted([None, same, other, other], key=str)
    assert sorted(row["status"] for row in mirror.rows(SyncRun)) == ["partial", "partial"]


def test_a_version_that_was_read_again_does_not_stand_for_all_of_its_model(mirror: SyncEnv) -> None:
    mirror.sync()
    first, second = mirror.registry.ids("model-versions")[:2]
    spoil(mirror, first)
    mirror.sync(full=True)
    mend(mirror, first)
    mirror.registry.set_description(second, "Meanwhile.", touch=False)
    reread(mirror)
    mirror.sync()

    assert mirror.held() == mirror.served()


@pytest.mark.parametrize("record_id", [".", "..", "half \ud800"])
def test_what_has_no_name_in_an_address_waits_for_the_next_sync(mirror: SyncEnv, record_id: str) -> None:
    mirror.registry.put_raw("models", "odd", {"id": record_id, "deep": DEEP})
    mirror.sync()

    assert reread(mirror) == {record_id: Fate("rejected", f"its id cannot stand in an address, {UNASKED}")}
    assert opened(mirror) == [record_id]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refusal(422, "No."), r"The control plane refused .* \(422 .*"),
        (refusal(403, "No."), r"The control plane refused .* \(403 .*"),
        (html_answer(), ".* answered 200 with an HTML page: it offers no single records."),
        (Answer(body=b'{"data":{"id":"another"}}'), "the control plane returned another record instead"),
    ],
    ids=["422", "403", "a page for browsers", "another record"],
)
def test_one_that_is_not_told_stays_open_and_the_others_are_stored(
    mirror: SyncEnv, answer: Answer, reason: str
) -> None:
    untold, told = mirror.registry.ids("models")[:2]
    spoil(mirror, untold, told)
    mirror.sync()
    mend(mirror, untold, told)
    mirror.plane.faults = [answering(untold, answer)]
    fates = reread(mirror)

    assert fates[told] == Fate("stored")
    assert fates[untold].outcome == "rejected"
    assert re.fullmatch(reason, str(fates[untold].reason))
    assert opened(mirror) == [untold]
    assert [(row["status"], row["complete"]) for row in mirror.rows(SyncRun, SyncRun.proof.is_(None))] == [
        ("partial", False)
    ]


def test_a_control_plane_that_is_down_ends_it_and_nothing_is_written(mirror: SyncEnv) -> None:
    first, second = mirror.registry.ids("models")[:2]
    spoil(mirror, first, second)
    mirror.sync()
    before = mirror.registry_dump()
    mend(mirror, first, second)
    mirror.plane.faults = [answering(first, refusal(503, "Not now."))]
    with pytest.raises(SourceUnavailable):
        reread(mirror)

    assert mirror.registry_dump() == before
    assert sorted(row["status"] for row in mirror.rows(SyncRun)) == ["failed", "partial"]


def test_an_ml_repo_that_a_list_without_proof_lacks_is_not_taken_for_gone(mirror: SyncEnv) -> None:
    repo = mirror.registry.ids("ml-repos")[0]
    spoil(mirror, repo)
    mirror.sync()
    mirror.registry.delete_ml_repo(repo)
    mirror.plane.faults = [fault("no_total,endpoint=ml-repos")]
    unproven, proven = reread(mirror, max_sweeps=1), reread(mirror)

    assert unproven == {repo: Fate("rejected", "the list of ML repos could not be proven complete")}
    assert proven == {repo: Fate("gone")}


def test_a_model_that_comes_back_brings_its_versions_along(mirror: SyncEnv) -> None:
    model = mirror.registry.ids("models")[0]
    mirror.sync()
    mirror.registry.delete_model(model)
    mirror.sync()
    mirror.registry.restore(model)
    spoil(mirror, model)
    mirror.sync(name=mirror.registry.get("models", model)["name"])
    mend(mirror, model)
    reread(mirror)

    assert mirror.held() == mirror.served()


def answering(record_id: str, answer: Answer) -> Fault:
    """The control plane answers so when it is asked for one record."""
    return Fault(lambda on, proceed: answer if on.request.path.endswith(record_id) else proceed())
