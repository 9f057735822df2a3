import json
from datetime import UTC, datetime
from typing import Any

import pytest

from etl.models import RejectedRecord, SyncRun
from etl.simulator import fault
from etl.store import MissingRecords, Staging, open_engine, rejected_records
from tests.support.sync_env import SyncEnv

DEEP = json.loads("[" * 300 + "]" * 300)
ENTITIES = ["ml-repos", "models", "model-versions"]


def add_odd(env: SyncEnv, entity: str) -> None:
    """Add a record to the source that is nested too deep to be stored."""
    env.registry.put_raw(entity, "odd", {"id": "odd", "deep": DEEP, "model_id": "nobody lists it"})


def drop(env: SyncEnv, entity: str, record: str = "odd") -> None:
    """Delete a record from the source."""
    env.registry._drop(env.registry._entry(record, entity))


def is_open(env: SyncEnv) -> bool:
    return env.row(RejectedRecord)["resolved_at"] is None


@pytest.mark.parametrize("entity", ENTITIES)
def test_rejected_record_is_resolved_by_a_later_run_that_stores_it(env: SyncEnv, entity: str) -> None:
    first = env.registry.ids(entity)[0]
    env.registry.set_fields(first, {"deep": DEEP})
    before = env.sync()
    was_open = is_open(env)
    env.registry.set_fields(first, {"deep": None})
    after = env.sync()
    row = env.row(RejectedRecord)

    assert (before.rejected, was_open, after.rejected) == (1, True, 0)
    assert row["rejected_at"] < row["resolved_at"]
    assert env.held() == env.served()


@pytest.mark.parametrize("entity", ENTITIES)
def test_deleted_record_is_resolved_by_a_full_run(env: SyncEnv, entity: str) -> None:
    env.sync()
    add_odd(env, entity)
    env.sync(full=True)
    was_open = is_open(env)
    drop(env, entity)
    env.sync(full=True)

    assert was_open
    assert not is_open(env)


def test_record_without_an_id_is_resolved_once_the_list_has_no_such_record(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", {"name": "nobody"})
    env.sync()
    env.registry.put_raw("models", "odd", {"name": "somebody"})
    env.sync()
    resolved_before = [row["resolved_at"] for row in env.rows(RejectedRecord)]
    drop(env, "models")
    env.sync()

    assert resolved_before == [None, None]  # the second may be the same record, renamed
    assert all(row["resolved_at"] for row in env.rows(RejectedRecord))


@pytest.mark.parametrize(
    "options", [{"ml_repo": ("1",)}, {"name": "no-such"}, {"max_sweeps": 1, "page_size": 5}], ids=min
)
def test_filtered_or_incomplete_run_does_not_resolve_a_deleted_record(env: SyncEnv, options: dict[str, Any]) -> None:
    add_odd(env, "models")
    env.sync()
    drop(env, "models")
    env.plane.faults = [fault("wrong_total,endpoint=models")]
    env.sync(**options)
    still_open = is_open(env)
    env.plane.faults = []
    env.sync()

    assert still_open
    assert not is_open(env)


def test_deleted_version_is_resolved_only_by_a_run_that_reads_every_version(env: SyncEnv) -> None:
    version = env.registry.ids("model-versions")[0]
    env.registry.set_fields(version, {"deep": DEEP})
    env.sync()
    env.registry.delete_version(version)
    incremental = env.sync()
    still_open = is_open(env)
    env.sync(full=True)

    assert incremental.plan.way == "by model"
    assert still_open
    assert not is_open(env)


def test_record_without_an_id_keeps_other_rejected_records_open(env: SyncEnv) -> None:
    add_odd(env, "models")
    env.sync()
    env.registry.put_raw("models", "odd", {"name": "it may be odd"})
    env.sync()

    assert [row["resolved_at"] for row in env.rows(RejectedRecord)] == [None, None]


@pytest.mark.parametrize("entity", ENTITIES)
def test_open_and_resolved_records_are_not_written_again(env: SyncEnv, entity: str) -> None:
    add_odd(env, entity)
    env.registry.put_raw(entity, "mended", {"name": "no id"})
    env.sync()
    drop(env, entity, "mended")
    env.sync(full=True)
    before = env.registry_dump()
    env.sync(full=True)
    env.sync()

    assert [row["resolved_at"] is None for row in env.rows(RejectedRecord)].count(True) == 1
    assert env.registry_dump() == before


def test_record_rejected_again_after_it_was_resolved_is_open_again(env: SyncEnv) -> None:
    model = env.registry.ids("models")[0]
    env.registry.set_fields(model, {"deep": DEEP}, touch=False)
    odd = env.registry.get("models", model)
    env.sync()
    env.registry.set_fields(model, {"deep": None}, touch=False)
    env.sync()
    env.registry.set_fields(model, {"deep": odd["deep"]}, touch=False)
    env.sync()
    first, second = env.rows(RejectedRecord)

    assert first["payload"] == second["payload"]
    assert (first["resolved_at"] is None, second["resolved_at"] is None) == (False, True)


def test_invalid_one_of_two_records_with_one_id_stays_open(env: SyncEnv) -> None:
    model = env.registry.records("models")[0]
    env.registry.put_raw("models", "twin", {"id": model["id"], "deep": DEEP})
    env.sync()
    before = env.rows(RejectedRecord)
    env.sync()

    assert before
    assert env.rows(RejectedRecord) == before
    assert all(row["resolved_at"] is None for row in before)


@pytest.mark.timeout(30)
def test_thousands_of_records_are_rejected_without_comparing_each_with_each(env: SyncEnv) -> None:
    env.sync()
    run_id, now = env.row(SyncRun)["id"], datetime.now(UTC)
    rows = [("models", None, "it has no id", json.dumps({"name": "x" * 1000, "number": n})) for n in range(4000)]
    engine = open_engine(env.url)
    with engine.connect() as connection:
        Staging(connection).stage({"rejected_records": rows})
        for _ in range(2):
            with connection.begin():
                rejected_records.resolve(connection, MissingRecords(entities={"models"}), now)
                rejected_records.store_rejected(connection, run_id, now)
        found = rejected_records.count(connection, also_resolved=False)
    engine.dispose()

    assert found == 4000
