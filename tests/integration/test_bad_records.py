"""Each malformed record is stored exactly or rejected whole with a reason, and the others are stored."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from etl.enums import Entity
from etl.models import Base, Model, ModelVersion, RejectedRecord
from tests.support.load_factor import LOAD_FACTOR, report
from tests.support.malformed_records import KEPT, LARGE, REFUSED, BadRecord, mutated, nested, serve, served
from tests.support.record_builders import a_model, a_version
from tests.support.reference_decoder import decode
from tests.support.served_records import agreeing, lost
from tests.support.sync_env import ENTITIES, SyncEnv, sync_env

DUPLICATE = "another record has the same id, and updated_at does not say which is newer"


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    with sync_env(migrated_url) as env:
        yield env


def test_unusual_values_are_stored_exactly(env: SyncEnv) -> None:
    serve(env, KEPT)
    summary = env.sync()
    first = env.registry_dump()
    again = env.sync(full=True)

    assert (summary.status, summary.complete, again.complete) == ("succeeded", True, True)
    assert lost(env) == []
    derived = 1
    assert sum(tally.inserted for tally in summary.tallies.values()) == 3 + 12 + 36 + len(KEPT) + derived
    assert env.registry_dump() == first


@pytest.mark.timeout(120 * LOAD_FACTOR)
def test_large_records_are_stored_exactly(env: SyncEnv, dialect: str) -> None:
    serve(env, LARGE)
    summary = env.sync()
    first = env.registry_dump()
    env.sync(full=True)

    assert summary.tallies[Entity.MODEL_VERSIONS].inserted == 36 + len(LARGE)
    assert env.held() == env.served()
    assert env.registry_dump() == first
    sizes = [len(json.dumps(each.record)) for each in LARGE.values()]
    report("large records", dialect, records=len(sizes), bytes_each=", ".join(f"{size:,}" for size in sizes))


def test_invalid_records_are_rejected_whole_with_a_reason_and_the_others_are_stored(env: SyncEnv) -> None:
    serve(env, REFUSED)
    result = env.result(exit_code=3)
    first = env.registry_dump()
    rejected = env.rows(RejectedRecord)
    again = env.sync(full=True)

    assert (result["complete"], result["rejected"], again.rejected) == (True, len(REFUSED), len(REFUSED))
    assert [result[entity]["inserted"] for entity in ENTITIES] == [3, 12, 36]
    assert lost(env) == []
    assert env.registry_dump() == first
    expected = [(bad.reason, decode(served(name, bad))) for name, bad in REFUSED.items()]
    found = [(row["reason"], decode(json.loads(row["payload"]))) for row in rejected]
    assert sorted(map(str, found)) == sorted(map(str, expected))


def test_number_with_too_many_digits_rejects_its_record_only(env: SyncEnv) -> None:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)  # the simulator could not write the number otherwise
    try:
        env.registry.put_raw("model-versions", "long", a_version(id="long", size=10**5000))
        result = env.result(exit_code=3)
    finally:
        sys.set_int_max_str_digits(limit)

    row = env.row(RejectedRecord)
    assert (result["rejected"], result["model_versions"]["inserted"]) == (1, 36)
    assert row["reason"] == "its size contains an integer with more digits than can be read"
    assert json.loads(row["payload"])["size"] == "1" + "0" * 5000


def test_record_without_fields_but_its_ids_does_not_change_the_stored_one(env: SyncEnv) -> None:
    env.sync()
    before = env.held()
    for entity in ("ml-repos", "models", "model-versions"):
        record = env.registry.records(entity)[0]
        bare = {key: record[key] for key in ("id", "model_id", "updated_at") if key in record}
        env.registry.put_raw(entity, record["id"], bare)
    summary = env.sync(full=True)

    assert summary.rejected == 3
    assert env.held() == before


@pytest.mark.parametrize("page_size", [2, 100])
@pytest.mark.parametrize(("entity", "table"), [("models", Model), ("model-versions", ModelVersion)])
def test_first_of_two_records_with_one_id_is_stored_and_the_other_rejected(
    env: SyncEnv, entity: str, table: type[Base], page_size: int
) -> None:
    first = env.registry.records(entity)[0]
    duplicate = first | {"fqn": "model:of/the/twin:1"}
    env.registry.put_raw(entity, "twin", duplicate)
    results = [env.sync(page_size=page_size, full=True) for _ in range(2)]
    row = env.row(RejectedRecord)

    assert [(result.complete, result.rejected, result.exit_code) for result in results] == [(True, 1, 3)] * 2
    assert (row["record_id"], row["reason"], json.loads(row["payload"])) == (first["id"], DUPLICATE, duplicate)
    assert [each["fqn"] for each in env.rows(table) if each["id"] == first["id"]] == [first["fqn"]]
    assert lost(env) == []


@pytest.mark.parametrize("page_size", [2, 100])
def test_the_newer_of_two_records_with_one_id_is_stored(env: SyncEnv, page_size: int) -> None:
    first = env.registry.records("model-versions")[0]
    for slot, moment in (("newer", "2030-01-01T00:00:00Z"), ("older", "2020-01-01T00:00:00Z")):
        env.registry.put_raw("model-versions", slot, first | {"updated_at": moment, "tags": [slot]})
    summary = env.sync(page_size=page_size)

    assert summary.exit_code == 0
    assert json.loads(env.held()["model_versions"][first["id"]])["tags"] == ["newer"]


@pytest.mark.parametrize("page_size", [2, 100])
def test_unreadable_records_with_the_id_of_another_are_all_rejected(env: SyncEnv, page_size: int) -> None:
    first = env.registry.records("model-versions")[0]
    unreadable: list[dict[str, Any]] = [{"model_id": []}, {"model_id": ""}, {"size": nested(250)}]
    for number, change in enumerate(unreadable):
        env.registry.put_raw("model-versions", f"twin-{number}", first | change)
        env.registry.put_raw("models", f"odd-{number}", {"id": "odd", "size": number})
    results = [env.sync(page_size=page_size, full=True) for _ in range(2)]

    assert [result.rejected for result in results] == [6, 6]
    assert len(env.rows(RejectedRecord)) == 6
    assert lost(env) == []
    assert env.held()["model_versions"].keys() == {*env.registry.ids("model-versions")} - {
        f"twin-{number}" for number in range(3)
    }


def test_rejected_duplicate_is_resolved_after_its_deletion(env: SyncEnv) -> None:
    first = env.registry.records("models")[0]
    env.registry.put_raw("models", "twin", first | {"name": "twin"})
    env.sync()
    env.registry.delete_model("twin")
    summary = env.sync()

    assert summary.exit_code == 0
    assert env.row(RejectedRecord)["resolved_at"] is not None


@pytest.mark.parametrize("listing", ["tenant", "ml_repo", "model"])
def test_models_with_url_syntax_in_their_ids_are_read(env: SyncEnv, listing: str) -> None:
    env.plane.versions_listing = listing
    for number in range(2):
        for each in ("\x00", " ", "..", "a/b?c=d&limit=1#e", "%2F", "line\nline", "字" * 600):
            serve_model(env, each, tag=f"{number}")
        summary = env.sync()

        assert summary.exit_code == 0
        assert lost(env) == []


@pytest.mark.parametrize("listing", ["tenant", "model"])
def test_model_whose_id_fits_no_url_is_stored_with_its_latest_version(
    env: SyncEnv, listing: str, caplog: pytest.LogCaptureFixture
) -> None:
    env.plane.versions_listing = listing
    serve_model(env, "\udcff", tag="first")
    env.sync()
    serve_model(env, "\udcff", tag="second")
    serve_model(env, "beside", tag="second")
    summary = env.sync()
    lost_before = lost(env)
    full = env.sync(full=True)

    assert (summary.exit_code, full.exit_code) == (3, 0 if listing == "tenant" else 3)
    assert "model_id=\\udcff cannot be read" in summary.warnings[0]
    assert caplog.text.encode("utf-8", "strict")
    assert (lost_before, lost(env)) == ([], [])
    assert env.rows(ModelVersion, ModelVersion.deleted_at.is_not(None)) == []


@settings(max_examples=5 * LOAD_FACTOR, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.timeout(120 * LOAD_FACTOR)
@given(
    batches=st.lists(st.lists(mutated(), min_size=1, max_size=6), min_size=2, max_size=2),
    page_size=st.sampled_from([2, 5, 100]),
)
def test_any_mutation_of_a_record_is_stored_exactly_or_rejected_whole(
    migrated_url: str, batches: list[list[BadRecord]], page_size: int
) -> None:
    records = [each for batch in batches for each in batch]
    assume(agreeing(records) == records)
    with sync_env(migrated_url) as env:
        empty_tables(env)
        for batch in batches:
            serve(env, {str(number): each for number, each in enumerate(batch)})
            # Nothing is fetched by id, because the simulator serves these records under other ids than their own.
            summary = env.sync(page_size=page_size, full=True, allow_mass_delete=True, confirm_deletes=0)
            first = env.registry_dump()
            env.sync(page_size=page_size, full=True, allow_mass_delete=True, confirm_deletes=0)

            assert lost(env) == []
            assert summary.exit_code == (3 if summary.rejected else 0)
            assert env.registry_dump() == first


def serve_model(env: SyncEnv, model_id: str, *, tag: str) -> None:
    """Serve a model with this id and one version."""
    version = a_version(id=f"of {model_id}"[:20], model_id=model_id, tags=[tag])
    env.registry.put_raw("model-versions", version["id"], version)
    env.registry.put_raw("models", model_id, a_model(id=model_id, latest_version=version))


def empty_tables(env: SyncEnv) -> None:
    with env.connection() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
