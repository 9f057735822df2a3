"""Versions of models that were missing from the list of models when a run read it."""

import pytest

from etl.enums import Entity
from etl.models import ModelVersion
from etl.simulator import fault
from tests.support.faults import at_request
from tests.support.hidden_records import hide
from tests.support.malformed_records import nested
from tests.support.sync_env import SyncEnv, sync_env


def add_during_run(env: SyncEnv) -> tuple[str, str]:
    """Sync while somebody adds a model after the models were read; return it and its version."""
    added: list[str] = []

    def add() -> None:
        added.append(env.registry.add_model("1"))
        added.append(env.registry.add_version(added[0]))

    # A run requests one version first, to find out whether versions are listed.
    happened = at_request(env, "/model-versions", 2, add)
    env.sync(full=True)
    env.plane.before_request = None
    assert happened
    return added[0], added[1]


def live_version_ids(env: SyncEnv) -> set[str]:
    return {row["id"] for row in env.rows(ModelVersion, ModelVersion.deleted_at.is_(None))}


@pytest.mark.parametrize("scope", [{}, {"ml_repo": ("1",)}], ids=str)
def test_versions_of_a_model_added_during_a_run_and_deleted_after_it_are_deleted_by_the_next(
    env: SyncEnv, scope: dict[str, tuple[str, ...]]
) -> None:
    model, version = add_during_run(env)
    stored = live_version_ids(env)
    env.registry.delete_model(model)
    summary = env.sync(**scope)

    assert version in stored
    assert version not in live_version_ids(env)
    assert (summary.complete, summary.tallies[Entity.MODEL_VERSIONS].deleted) == (True, 1)
    assert env.held() == env.served()


def test_model_added_during_a_run_and_listed_by_the_next_keeps_its_versions(env: SyncEnv) -> None:
    add_during_run(env)
    env.sync()

    assert env.held() == env.served()


def test_versions_of_a_hidden_model_are_kept_and_not_read_by_each_run(env: SyncEnv) -> None:
    version = env.registry.ids("model-versions")[0]
    env.registry.set_fields(version, {"model_id": "hidden"})
    env.sync()
    env.sync()
    env.sync(full=True)
    before = len(env.plane.log)
    summary = env.sync()

    assert version in live_version_ids(env)
    assert summary.complete
    assert len(env.plane.log) - before == 4


def test_a_refusal_to_list_the_versions_of_a_hidden_model_keeps_the_run_complete(env: SyncEnv) -> None:
    version = env.registry.ids("model-versions")[0]
    env.registry.set_fields(version, {"model_id": "hidden"})
    env.sync()
    env.plane.faults = [fault("forbid,endpoint=model-versions,after=1")]
    summary = env.sync()

    assert (summary.complete, summary.exit_code) == (True, 0)
    assert version in live_version_ids(env)


@pytest.mark.parametrize("options", [{"fqn": "model:acme/risk/other"}, {"no_delete": True}], ids=str)
def test_run_that_may_delete_nothing_reads_no_versions_of_a_hidden_model(
    env: SyncEnv, monkeypatch: pytest.MonkeyPatch, options: dict[str, str | bool]
) -> None:
    model = env.registry.ids("models")[0]
    hide(env, monkeypatch, lambda each: each.id == model)
    env.sync()
    new = env.registry.add_version(model)
    summary = env.sync(**options)

    assert summary.complete
    assert new not in live_version_ids(env)


@pytest.mark.parametrize("listing", ["tenant", "model"])
def test_full_run_deletes_the_versions_of_a_rejected_model_that_was_deleted(listing: str, migrated_url: str) -> None:
    with sync_env(migrated_url, versions_listing=listing) as env:
        model = env.registry.ids("models")[0]
        versions = {each["id"] for each in env.registry.records("model-versions") if each["model_id"] == model}
        env.sync()
        env.registry.set_fields(model, {"size": nested(250)})
        env.sync(full=True)
        assert versions <= live_version_ids(env)
        env.execute(f"DELETE FROM models WHERE id = '{model}'")  # noqa: S608 as if it had never been stored
        env.registry.delete_model(model)
        summary = env.sync(full=True, allow_mass_delete=True)

        assert summary.complete
        assert not versions & live_version_ids(env)
