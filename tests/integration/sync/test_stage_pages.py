import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl.enums import Entity
from etl.models import Change, Model, ModelVersion, RejectedRecord
from etl.simulator import fault
from etl.store import Tally
from tests.support.sync_env import SyncEnv


def test_an_older_record_never_overwrites_a_newer_one(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[0]
    env.sync()
    before = env.registry_dump()
    env.registry.put_raw("model-versions", version["id"], _described(version, "old", "2020-01-01T00:00:00Z"))
    summary = env.sync(full=True)

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, unchanged=36)
    assert summary.warnings == ["1 record is older than stored: the newer one was kept."]
    assert env.registry_dump() == before


@pytest.mark.parametrize("full", [True, False])
def test_record_with_a_future_time_is_replaced_once_the_time_is_corrected(*, full: bool, env: SyncEnv) -> None:
    model, version = env.registry.records("models")[0], env.registry.records("model-versions")[0]
    env.sync()
    env.registry.put_raw("model-versions", version["id"], _described(version, "wrong", "9999-12-31T00:00:00.000000Z"))
    env.registry.set_fields(model["id"], {"name": "wrong", "updated_at": "9999-12-31T00:00:00.000000Z"}, touch=False)
    wrong = env.sync(full=True)

    assert wrong.complete
    assert "2 records have an updated_at in the future" in wrong.warnings[0]
    assert env.held() == env.served()

    env.registry.put_raw("model-versions", version["id"], version)
    env.registry.set_fields(model["id"], {"name": "right", "updated_at": "2024-05-01T10:00:00.000000Z"}, touch=False)
    right = env.sync(full=full)

    assert (right.complete, right.warnings) == (True, [])
    assert env.row(Model, Model.id == model["id"])["name"] == "right"
    assert env.held()["models"] == env.served()["models"]
    if full:
        assert env.held() == env.served()


def test_time_of_a_clock_slightly_ahead_does_not_count_as_future(env: SyncEnv) -> None:
    model = env.registry.records("models")[0]
    soon, sooner = (
        (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z") for seconds in (200, 100)
    )
    env.registry.set_fields(model["id"], {"name": "newer", "updated_at": soon}, touch=False)
    assert env.sync().warnings == []
    env.registry.set_fields(model["id"], {"name": "older", "updated_at": sooner}, touch=False)
    assert env.sync().warnings == ["1 record is older than stored: the newer one was kept."]
    assert env.row(Model, Model.id == model["id"])["name"] == "newer"


def test_changed_record_with_the_same_time_overwrites(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[0]
    env.sync()
    env.registry.put_raw("model-versions", version["id"], _described(version, "new", version["updated_at"]))
    summary = env.sync(full=True)

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, updated=1, unchanged=35)
    assert env.row(ModelVersion, ModelVersion.id == version["id"])["description"] == "new"


def test_changed_record_without_a_time_overwrites(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[0]
    env.sync()
    env.registry.put_raw("model-versions", version["id"], _described(version, "timeless", None))
    env.sync(full=True)

    assert env.held() == env.served()


def test_record_that_changes_between_two_sweeps_is_stored_as_last_read(env: SyncEnv) -> None:
    version = env.registry.ids("model-versions")[0]
    env.sync()
    env.registry.set_description(version, "first", touch=False)
    at_second_sweep(env, lambda: env.registry.set_description(version, "second", touch=False))
    summary = env.sync(full=True, page_size=100)

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, updated=1, unchanged=35)
    assert env.held() == env.served()
    assert [(row["field"], row["new_value"]) for row in env.rows(Change)] == [("description", "second")]


def test_record_that_is_older_in_the_second_sweep_is_stored_as_first_read(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[0]
    older = _described(version, "older", "2020-01-01T00:00:00Z")
    at_second_sweep(env, lambda: env.registry.put_raw("model-versions", version["id"], older))
    summary = env.sync(page_size=100)

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, inserted=36)
    stored = env.row(ModelVersion, ModelVersion.id == version["id"])
    assert stored["description"] == version["manifest"]["description"]


def test_the_newer_of_two_records_of_one_id_on_a_page_is_stored(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[0]
    newer = _described(version, "newer", "2025-01-01T00:00:00Z")
    env.registry.put_raw("model-versions", "twin", version)
    env.registry.put_raw("model-versions", version["id"], newer)
    env.sync(page_size=100)

    assert env.row(ModelVersion, ModelVersion.id == version["id"])["description"] == "newer"


def test_a_record_that_becomes_readable_in_a_second_sweep_is_stored(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[0]
    env.registry.put_raw("model-versions", version["id"], version | {"model_id": []})
    at_second_sweep(env, lambda: env.registry.put_raw("model-versions", version["id"], version))
    summary = env.sync(page_size=100)

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, inserted=36)
    assert env.rows(RejectedRecord) == []
    assert env.held() == env.served()


def test_a_record_that_becomes_unreadable_in_a_second_sweep_is_rejected(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[0]
    unreadable = version | {"model_id": []}
    at_second_sweep(env, lambda: env.registry.put_raw("model-versions", version["id"], unreadable))
    summary = env.sync(page_size=100)

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, inserted=35, rejected=1)
    assert json.loads(env.row(RejectedRecord)["payload"]) == unreadable


@pytest.mark.parametrize(
    ("record", "record_id", "reason"),
    [
        ({"model_id": "m"}, None, "it has no id"),
        ({"id": "v", "tags": ["prod"]}, "v", "it has no model_id"),
        ({"id": 7, "model_id": ""}, "7", "its model_id is empty"),
        ({"id": "x" * 5000}, None, "its id is longer than the 2000 bytes that every database can index"),
        ({"id": "\x00\ud800", "model_id": None}, "\x00\ud800", "it has no model_id"),
        ("no object", None, "it is text, where an object with an id was expected"),
        (None, None, "it is null, where an object with an id was expected"),
        ([float("inf")], None, "it is a list, where an object with an id was expected"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_unreadable_record_is_rejected_whole_and_the_others_are_stored(
    env: SyncEnv, record: Any, record_id: str | None, reason: str
) -> None:
    env.registry.put_raw("model-versions", "odd", record)
    summary = env.sync()
    row = env.row(RejectedRecord)

    assert (summary.status, summary.complete, summary.exit_code) == ("partial", True, 3)
    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=37, inserted=36, rejected=1)
    assert (row["entity"], row["record_id"], row["reason"]) == ("model_versions", record_id, reason)
    assert json.loads(row["payload"]) == record
    assert row["run_id"] == summary.run_id


def test_record_that_is_rejected_in_two_sweeps_is_counted_once(env: SyncEnv) -> None:
    odd, other = {"id": "odd"}, {"id": "other"}
    env.registry.put_raw("model-versions", "odd", odd)
    env.registry.put_raw("model-versions", "other", other)
    at_second_sweep(env, lambda: env.registry.put_raw("model-versions", "other", other | {"model_id": ""}))
    summary = env.sync(page_size=100)

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=38, inserted=36, rejected=2)
    assert sorted(row["record_id"] for row in env.rows(RejectedRecord)) == ["odd", "other"]


def test_all_records_that_change_between_sweeps_are_stored_as_last_read(env: SyncEnv) -> None:
    def work() -> None:
        for version in env.registry.ids("model-versions"):
            env.registry.set_tags(version, ["second"])

    at_second_sweep(env, work)
    summary = env.sync(page_size=7)

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, inserted=36)
    assert env.held()["model_versions"] == env.served()["model_versions"]


def test_rejected_record_is_requested_again_and_stored_once(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[0]
    env.registry.put_raw("model-versions", version["id"], version | {"id": None})
    first, second = env.sync(), env.sync()
    env.registry.put_raw("model-versions", version["id"], version)
    third = env.sync()

    assert (first.exit_code, second.exit_code, third.exit_code) == (3, 3, 0)
    assert second.tallies[Entity.MODEL_VERSIONS] == Tally(seen=3, unchanged=2, rejected=1)
    assert third.tallies[Entity.MODEL_VERSIONS] == Tally(seen=3, inserted=1, unchanged=2)
    assert env.row(RejectedRecord)["run_id"] == first.run_id


def test_rejected_record_without_a_model_id_is_requested_again_too(env: SyncEnv) -> None:
    env.registry.put_raw("model-versions", "odd", {"id": "odd"})

    assert [env.sync().exit_code for _ in range(2)] == [3, 3]


def test_rejected_record_that_changed_is_stored_in_both_forms(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", {"id": [1]})
    env.sync()
    env.registry.put_raw("models", "odd", {"id": [2]})
    env.sync()

    assert [json.loads(row["payload"]) for row in env.rows(RejectedRecord)] == [{"id": [1]}, {"id": [2]}]


def test_stored_record_that_becomes_unreadable_is_not_deleted(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[0]
    env.sync()
    env.registry.put_raw("model-versions", version["id"], {"id": version["id"], "fqn": "who knows"})
    summary = env.sync(full=True)

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, unchanged=35, rejected=1)
    assert env.row(ModelVersion, ModelVersion.id == version["id"])["deleted_at"] is None


@pytest.mark.parametrize("entity", ["ml-repos", "models", "model-versions"])
def test_record_without_an_id_prevents_the_delete_of_a_missing_one(env: SyncEnv, entity: str) -> None:
    env.sync()
    env.registry.put_raw(entity, env.registry.ids(entity)[0], {"name": "anybody"})
    summary = env.sync(full=True)

    assert summary.rejected == 1
    assert [tally.deleted for tally in summary.tallies.values()] == [0, 0, 0]


def test_records_of_other_ml_repos_are_left_out_even_if_the_server_ignores_the_filter(env: SyncEnv) -> None:
    stray = env.registry.records("models")[1]
    env.plane.before_request = lambda _number, _path, query: query.pop("ml_repo_id", None)
    summary = env.sync(ml_repo=("1",))

    assert stray["ml_repo_id"] == "2"
    assert summary.tallies[Entity.MODELS].seen == 4
    assert summary.tallies[Entity.MODEL_VERSIONS].seen == 12


def at_second_sweep(env: SyncEnv, work: Callable[[], object]) -> None:
    """Make the list of versions need two sweeps, and do the work before the second."""
    env.plane.faults = [fault("no_total,endpoint=model-versions")]
    pages = []

    def count(_number: int, path: str, query: dict[str, list[str]]) -> None:
        if path.endswith("/model-versions") and query["offset"] == ["0"] and query["limit"] != ["1"]:  # no probe
            pages.append(path)
            if len(pages) == 2:
                work()

    env.plane.before_request = count


def _described(version: dict[str, Any], description: str, updated_at: str | None) -> dict[str, Any]:
    manifest = version["manifest"] | {"description": description}
    return version | {"manifest": manifest, "updated_at": updated_at}
