import json
from datetime import UTC, datetime
from typing import Any

import pytest

from etl.models import RejectedRecord, SyncRun
from etl.simulator import fault
from etl.store import Gone, Staging, open_engine, rejected_records
from tests.support.sync_env import SyncEnv

DEEP = json.loads("[" * 300 + "]" * 300)
ENTITIES = ["ml-repos", "models", "model-versions"]


def add_odd(mirror: SyncEnv, entity: str) -> None:
    """A new record of the source that nests too deep to be stored."""
    mirror.registry.put_raw(entity, "odd", {"id": "odd", "deep": DEEP, "model_id": "nobody lists it"})


def drop(mirror: SyncEnv, entity: str, record: str = "odd") -> None:
    """The source has it no more."""
    mirror.registry._drop(mirror.registry._entry(record, entity))


def is_open(mirror: SyncEnv) -> bool:
    return mirror.row(RejectedRecord)["resolved_at"] is None


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_record_that_a_later_run_can_store_is_resolved_when_that_run_began(mirror: SyncEnv, entity: str) -> None:
    first = mirror.registry.ids(entity)[0]
    mirror.registry.set_fields(first, {"deep": DEEP})
    before = mirror.sync()
    opened = is_open(mirror)
    mirror.registry.set_fields(first, {"deep": None})
    after = mirror.sync()
    row = mirror.row(RejectedRecord)

    assert (before.rejected, opened, after.rejected) == (1, True, 0)
    assert row["rejected_at"] < row["resolved_at"]
    assert mirror.held() == mirror.served()


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_record_that_is_gone_is_resolved_by_a_run_that_read_all(mirror: SyncEnv, entity: str) -> None:
    mirror.sync()
    add_odd(mirror, entity)
    mirror.sync(full=True)
    opened = is_open(mirror)
    drop(mirror, entity)
    mirror.sync(full=True)

    assert opened
    assert not is_open(mirror)


def test_one_without_an_id_is_gone_when_nothing_like_it_comes(mirror: SyncEnv) -> None:
    mirror.registry.put_raw("models", "odd", {"name": "nobody"})
    mirror.sync()
    mirror.registry.put_raw("models", "odd", {"name": "somebody"})
    mirror.sync()
    both = [row["resolved_at"] for row in mirror.rows(RejectedRecord)]
    drop(mirror, "models")
    mirror.sync()

    assert both == [None, None]  # who came instead may be the same record
    assert all(row["resolved_at"] for row in mirror.rows(RejectedRecord))


@pytest.mark.parametrize(
    "given", [{"ml_repo": ("1",)}, {"name": "no-such"}, {"max_sweeps": 1, "page_size": 5}], ids=min
)
def test_a_run_that_did_not_read_all_takes_no_record_for_gone(mirror: SyncEnv, given: dict[str, Any]) -> None:
    add_odd(mirror, "models")
    mirror.sync()
    drop(mirror, "models")
    mirror.plane.faults = [fault("wrong_total,endpoint=models")]
    mirror.sync(**given)
    still_open = is_open(mirror)
    mirror.plane.faults = []
    mirror.sync()

    assert still_open
    assert not is_open(mirror)


def test_a_version_is_taken_for_gone_only_when_every_version_was_read(mirror: SyncEnv) -> None:
    version = mirror.registry.ids("model-versions")[0]
    mirror.registry.set_fields(version, {"deep": DEEP})
    mirror.sync()
    mirror.registry.delete_version(version)
    few = mirror.sync()
    still_open = is_open(mirror)
    mirror.sync(full=True)

    assert few.plan.way == "by model"
    assert still_open
    assert not is_open(mirror)


def test_a_record_without_an_id_may_be_any_of_those_that_were_rejected(mirror: SyncEnv) -> None:
    add_odd(mirror, "models")
    mirror.sync()
    mirror.registry.put_raw("models", "odd", {"name": "it may be odd"})
    mirror.sync()

    assert [row["resolved_at"] for row in mirror.rows(RejectedRecord)] == [None, None]


@pytest.mark.parametrize("entity", ENTITIES)
def test_what_stays_as_it_is_open_or_resolved_is_written_once(mirror: SyncEnv, entity: str) -> None:
    add_odd(mirror, entity)
    mirror.registry.put_raw(entity, "mended", {"name": "no id"})
    mirror.sync()
    drop(mirror, entity, "mended")
    mirror.sync(full=True)
    before = mirror.registry_dump()
    mirror.sync(full=True)
    mirror.sync()

    assert [row["resolved_at"] is None for row in mirror.rows(RejectedRecord)].count(True) == 1
    assert mirror.registry_dump() == before


def test_what_is_rejected_again_after_it_was_resolved_is_open_again(mirror: SyncEnv) -> None:
    model = mirror.registry.ids("models")[0]
    mirror.registry.set_fields(model, {"deep": DEEP}, touch=False)
    odd = mirror.registry.get("models", model)
    mirror.sync()
    mirror.registry.set_fields(model, {"deep": None}, touch=False)
    mirror.sync()
    mirror.registry.set_fields(model, {"deep": odd["deep"]}, touch=False)
    mirror.sync()
    first, second = mirror.rows(RejectedRecord)

    assert first["payload"] == second["payload"]
    assert (first["resolved_at"] is None, second["resolved_at"] is None) == (False, True)


def test_of_two_records_with_one_id_the_one_that_cannot_be_stored_stays_open(mirror: SyncEnv) -> None:
    model = mirror.registry.records("models")[0]
    mirror.registry.put_raw("models", "twin", {"id": model["id"], "deep": DEEP})
    mirror.sync()
    before = mirror.rows(RejectedRecord)
    mirror.sync()

    assert before
    assert mirror.rows(RejectedRecord) == before
    assert all(row["resolved_at"] is None for row in before)


@pytest.mark.timeout(30)
def test_thousands_are_kept_and_looked_up_without_comparing_each_with_each(mirror: SyncEnv) -> None:
    mirror.sync()
    run_id, now = mirror.row(SyncRun)["id"], datetime.now(UTC)
    rows = [("models", None, "it has no id", json.dumps({"name": "x" * 1000, "number": n})) for n in range(4000)]
    engine = open_engine(mirror.url)
    with engine.connect() as connection:
        Staging(connection).stage({"rejected_records": rows})
        for _ in range(2):
            with connection.begin():
                rejected_records.resolve(connection, Gone(entities={"models"}), now)
                rejected_records.keep(connection, run_id, now)
        found = rejected_records.count(connection, also_resolved=False)
    engine.dispose()

    assert found == 4000
