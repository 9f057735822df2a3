"""If lists disagree, or records have unexpected references, nothing is lost or wrongly deleted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from etl.enums import Entity
from etl.models import Change, ModelVersion
from etl.simulator.data import format_time
from etl.simulator.faults import Fault
from etl.simulator.http_types import refusal
from etl.sync import stage_pages
from tests.support.hidden_records import hide
from tests.support.malformed_records import nested
from tests.support.sync_env import SyncEnv, four_models_env

NO_VERSIONS = frozenset({"models", "ml-repos"})
ALL = NO_VERSIONS | {"model-versions"}
NOT_FOUND = refusal(404, "Not found")


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    with four_models_env(migrated_url) as env:
        yield env


@pytest.mark.parametrize("first", [True, False])
def test_versions_that_name_the_former_ml_repo_of_their_model_are_kept(*, first: bool, env: SyncEnv) -> None:
    model = env.registry.ids("models")[0]
    old = env.registry.get("models", model)["ml_repo_id"]
    new = "2" if old == "1" else "1"
    if not first:
        env.sync()
    env.registry.set_fields(model, {"ml_repo_id": new})
    env.sync(ml_repo=(new,), allow_mass_delete=True)
    kept = {row["id"] for row in env.rows(ModelVersion) if row["model_id"] == model and row["deleted_at"] is None}
    env.sync(ml_repo=(old,), full=True, allow_mass_delete=True)

    assert kept == {each["id"] for each in env.versions_of(model)}
    assert env.held() == env.served()


def test_first_load_of_an_ml_repo_logs_changes_of_records_that_were_stored_before(env: SyncEnv) -> None:
    model = env.registry.ids("models")[0]
    old = env.registry.get("models", model)["ml_repo_id"]
    new = "2" if old == "1" else "1"
    env.sync(ml_repo=(old,))
    env.registry.set_fields(model, {"ml_repo_id": new, "name": "renamed"})
    env.sync(ml_repo=(new,))
    changes = env.rows(Change)

    assert {(row["entity_id"], row["kind"]) for row in changes} == {(model, "updated")}
    assert {row["field"] for row in changes} >= {"ml_repo_id", "name"}


def test_embedded_version_is_stored_although_it_names_another_model(env: SyncEnv) -> None:
    env.plane.offers = NO_VERSIONS
    model = env.registry.get("models", env.registry.ids("models")[0])
    model["latest_version"]["model_id"] = "former-id"
    env.registry.put_raw("models", model["id"], model)
    env.sync()
    row = env.row(ModelVersion, ModelVersion.id == model["latest_version"]["id"])

    assert (row["model_id"], row["superseded_at"]) == ("former-id", None)


@pytest.mark.parametrize("how", ["rejected", "listed once"])
def test_versions_that_are_no_longer_read_are_superseded_by_the_next_run(how: str, env: SyncEnv) -> None:
    model = env.registry.ids("models")[0]
    record = env.registry.get("models", model)
    if how == "rejected":
        env.sync()
        env.plane.offers = NO_VERSIONS
        env.registry.put_raw("models", model, {"id": model})
        env.sync(accept_coverage=True)
        env.registry.put_raw("models", model, record)
    else:
        env.plane.offers = NO_VERSIONS
        env.sync()
        env.plane.offers = ALL
        env.sync(fqn=record["fqn"])
        env.plane.offers = NO_VERSIONS
    env.sync()
    superseded = [row["superseded_at"] is not None for row in env.rows(ModelVersion, ModelVersion.model_id == model)]
    before = env.registry_dump()
    env.sync()

    assert sorted(superseded) == [False, True, True]
    assert env.registry_dump() == before


def test_record_stored_with_a_future_time_is_replaced_after_that_time(
    env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    (version, *_) = env.registry.ids("model-versions")
    now = datetime.now(UTC)
    env.registry.set_fields(version, {"updated_at": format_time(now + timedelta(hours=2))}, touch=False)
    env.sync()
    env.registry.set_fields(version, {"updated_at": format_time(now), "tags": ["right"]}, touch=False)
    monkeypatch.setattr(stage_pages, "newest_credible", lambda: now + timedelta(hours=3))  # that moment has passed
    env.sync(full=True)

    assert env.held() == env.served()


@pytest.mark.parametrize("how", ["deleted", "superseded"])
def test_record_stored_with_a_future_time_is_replaced_when_it_returns_after_that_time(
    how: str, env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    (version, *_) = env.registry.ids("model-versions")
    now = datetime.now(UTC)
    later = now + timedelta(hours=3)
    env.registry.set_fields(version, {"updated_at": format_time(now + timedelta(hours=2))}, touch=False)
    env.sync()
    if how == "deleted":
        env.registry.delete_version(version)
        env.sync(full=True, allow_mass_delete=True)
        env.registry.restore(version)
    else:
        env.plane.offers = NO_VERSIONS
        env.sync(accept_coverage=True)
        env.plane.offers = ALL
    with env.connection() as connection:  # as if that run had begun later
        connection.execute(update(ModelVersion).where(ModelVersion.id == version).values(last_changed_at=later))
    env.registry.set_fields(version, {"updated_at": format_time(now), "tags": ["right"]}, touch=False)
    monkeypatch.setattr(stage_pages, "newest_credible", lambda: later)
    env.sync(full=True)

    assert env.held() == env.served()


def test_older_state_of_a_superseded_version_does_not_replace_a_newer_one(env: SyncEnv) -> None:
    env.plane.offers = NO_VERSIONS
    model = env.registry.get("models", env.registry.ids("models")[0])
    old = model["latest_version"]
    env.sync()
    with env.connection() as connection:
        connection.execute(update(ModelVersion).values(first_seen_at=datetime(2020, 1, 1, tzinfo=UTC)))
    env.registry.set_description(old["id"], "newest")
    env.sync()
    env.registry.add_version(model["id"])
    env.sync()
    env.registry.put_raw("models", model["id"], model)  # a server that lags behind
    summary = env.sync()

    assert "2 records are older than stored: the newer one was kept." in summary.warnings  # the model is, too
    assert env.row(ModelVersion, ModelVersion.id == old["id"])["description"] == "newest"


@pytest.mark.parametrize("model_id", [".", "..", "\ud800"])
def test_model_whose_id_fits_no_url_blocks_no_delete(model_id: str, env: SyncEnv) -> None:
    record = env.registry.get("models", env.registry.ids("models")[0])
    env.registry.put_raw("models", "odd", record | {"id": model_id, "latest_version": None})
    env.sync()
    env.registry.delete_model("odd")
    env.registry.delete_model(env.registry.ids("models")[1])
    summary = env.sync(allow_mass_delete=True)

    assert (summary.complete, summary.warnings) == (True, [])
    assert env.held() == env.served()


@pytest.mark.parametrize("offered", [True, False])
def test_version_missing_from_its_list_is_deleted_unless_it_is_found_by_id(
    *, offered: bool, env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = env.registry.ids("models")[0]
    hidden = min(env.versions_of(model), key=lambda each: each["created_at"])["id"]
    env.sync()
    env.registry.set_fields(model, {"type": "other"})
    hide(env, monkeypatch, lambda each: each.id == hidden)
    if not offered:
        single = Fault(lambda at, go: go() if "offset" in at.request.query else NOT_FOUND, endpoint="model-versions")
        env.plane.faults = [single]
    summary = env.sync()

    assert (summary.complete, summary.tallies[Entity.MODEL_VERSIONS].deleted) == ((False, 0) if offered else (True, 1))
    assert (hidden in "".join(summary.warnings)) is offered
    assert (env.row(ModelVersion, ModelVersion.id == hidden)["deleted_at"] is None) is offered


def test_versions_missing_from_an_empty_list_are_kept_if_they_are_found_by_id(
    env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = env.registry.ids("models")[0]
    env.sync()
    env.registry.put_raw("models", model, env.registry.get("models", model) | {"latest_version": None, "type": "other"})
    hide(env, monkeypatch, lambda each: each.model_id == model)
    summary = env.sync()

    assert (summary.plan.way, summary.complete) == ("by model", False)
    assert summary.tallies[Entity.MODEL_VERSIONS].deleted == 0


def test_deleted_versions_of_a_deleted_model_are_not_fetched_by_id(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[0])
    env.plane.log.clear()
    summary = env.sync(full=True, allow_mass_delete=True)

    assert (summary.complete, summary.tallies[Entity.MODEL_VERSIONS].deleted) == (True, 3)
    assert [each.path for each in env.plane.log if "/model-versions/" in each.path] == []


@pytest.mark.parametrize("listing", ["tenant", "ml_repo", "model"])
def test_full_run_reads_the_versions_of_a_rejected_model(listing: str, env: SyncEnv) -> None:
    env.plane.versions_listing = listing
    model = env.registry.ids("models")[0]
    deleted = env.versions_of(model)[0]["id"]
    env.sync()
    env.registry.set_fields(model, {"size": nested(250)})
    env.registry.delete_version(deleted)
    new = env.registry.add_version(model)
    summary = env.sync(full=True)
    live = {row["id"] for row in env.rows(ModelVersion) if row["deleted_at"] is None}

    assert (summary.complete, summary.rejected) == (True, 1)
    assert (deleted in live, new in live) == (False, True)
    env.registry.set_fields(model, {"size": 1})
    assert env.sync().rejected == 0
    assert env.held() == env.served()


@pytest.mark.parametrize(
    ("bad", "full"), [({"size": nested(250)}, False), ({"size": nested(250)}, True), ({"model_id": []}, True)]
)
def test_deleted_version_beside_a_rejected_one_of_its_model_is_deleted(
    bad: dict[str, Any], *, full: bool, env: SyncEnv
) -> None:
    model = env.registry.ids("models")[0]
    first, second, _ = sorted(env.versions_of(model), key=lambda each: each["created_at"])
    env.sync()
    env.registry.put_raw("model-versions", first["id"], first | bad)
    env.registry.delete_version(second["id"])
    env.registry.set_fields(model, {"type": "other"})
    summary = env.sync(full=full)
    live = {row["id"] for row in env.rows(ModelVersion) if row["deleted_at"] is None}

    assert (summary.complete, summary.exit_code, summary.rejected) == (True, 3, 1)
    assert second["id"] not in live
    assert first["id"] in live
    env.registry.put_raw("model-versions", first["id"], first)
    assert env.sync().rejected == 0
    assert env.held() == env.served()
