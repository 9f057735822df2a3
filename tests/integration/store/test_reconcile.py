import pytest

from etl.enums import Entity
from etl.errors import DeleteLimitExceeded
from etl.models import Change, MlRepo, Model, ModelVersion, SyncRunCount
from etl.simulator import Registry, fault
from etl.store import Tally
from tests.support.sync_env import SyncEnv, sync_env


def delete_models(env: SyncEnv, count: int) -> list[str]:
    deleted = env.registry.ids("models")[:count]
    for model in deleted:
        env.registry.delete_model(model)
    return deleted


def test_deleted_model_is_marked_and_kept_with_its_versions(env: SyncEnv) -> None:
    env.sync()
    (deleted,) = delete_models(env, 1)
    summary = env.sync()

    assert summary.tallies == {
        "ml_repos": Tally(seen=3, unchanged=3),
        "models": Tally(seen=11, unchanged=11, deleted=1),
        "model_versions": Tally(deleted=3),
    }
    model = env.row(Model, Model.id == deleted)
    versions = env.rows(ModelVersion, ModelVersion.model_id == deleted)
    assert [each["deleted_at"] for each in versions] == [model["deleted_at"]] * 3
    assert model["deleted_at"] == model["last_changed_at"] > model["first_seen_at"]
    assert env.held() == env.served()


def test_deleted_model_is_counted_once(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 1)
    env.sync()
    before = env.registry_dump()

    assert env.sync(full=True).tallies[Entity.MODELS] == Tally(seen=11, unchanged=11)
    assert env.registry_dump() == before


def test_deleted_version_is_found_if_its_model_has_changed(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_version(env.registry.ids("model-versions")[0])
    summary = env.sync()

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=2, unchanged=2, deleted=1)
    assert env.held() == env.served()


def test_version_deleted_without_a_new_updated_at_is_found_by_a_full_run(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_version(env.registry.ids("model-versions")[0], touch=False)

    assert env.sync().tallies[Entity.MODEL_VERSIONS] == Tally()
    assert env.sync(full=True).tallies[Entity.MODEL_VERSIONS] == Tally(seen=35, unchanged=35, deleted=1)


def test_delete_of_an_ml_repo_deletes_its_models_and_versions(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_ml_repo("2")
    summary = env.sync(allow_mass_delete=True)

    assert [tally.deleted for tally in summary.tallies.values()] == [1, 4, 12]
    assert env.row(MlRepo, MlRepo.deleted_at.is_not(None))["id"] == "2"
    assert env.held() == env.served()


def test_restored_model_restores_its_versions(env: SyncEnv) -> None:
    env.sync()
    before = env.held()
    (deleted,) = delete_models(env, 1)
    env.sync()
    env.registry.restore(deleted)
    summary = env.sync()

    assert summary.tallies[Entity.MODELS] == Tally(seen=12, unchanged=11, restored=1)
    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=3, restored=3)
    assert env.held() == before
    changes = [(row["entity"], row["kind"]) for row in env.rows(Change)]
    assert sorted(changes) == [
        ("model_versions", "deleted"),
        ("model_versions", "deleted"),
        ("model_versions", "deleted"),
        ("model_versions", "restored"),
        ("model_versions", "restored"),
        ("model_versions", "restored"),
        ("models", "deleted"),
        ("models", "restored"),
    ]


def test_restored_model_restores_versions_that_are_not_read(env: SyncEnv) -> None:
    env.sync()
    (deleted,) = delete_models(env, 1)
    env.sync()
    env.registry.restore(deleted)
    summary = env.sync(versions="latest")

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=1, restored=3)
    assert env.held() == env.served()
    assert len(env.rows(Change, Change.kind == "restored")) == 4


def test_version_deleted_before_its_model_is_not_restored_with_it(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_version(env.registry.ids("model-versions")[0])
    env.sync()
    (deleted,) = delete_models(env, 1)
    env.sync()
    env.registry.restore(deleted)
    env.sync(versions="latest")

    assert env.held() == env.served()


def test_record_that_is_listed_again_with_an_older_time_is_restored_as_stored(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[-1]
    env.sync()
    env.registry.delete_version(version["id"])
    env.sync()
    old = version | {"updated_at": "2020-01-01T00:00:00Z", "tags": ["long", "ago"]}
    env.registry.put_raw("model-versions", version["id"], old)
    summary = env.sync(full=True)
    stored = env.row(ModelVersion, ModelVersion.id == version["id"])

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, unchanged=35, restored=1)
    assert (stored["deleted_at"], stored["updated_at"].year) == (None, 2024)
    assert env.rows(Change, Change.kind == "tag_added") == []


def test_record_that_is_listed_again_with_changes_is_restored_and_its_changes_recorded(env: SyncEnv) -> None:
    version = env.registry.ids("model-versions")[-1]
    env.sync()
    env.registry.delete_version(version)
    env.sync()
    env.registry.restore(version)
    env.registry.set_tags(version, ["back"])
    env.sync()

    kinds = [row["kind"] for row in env.rows(Change, Change.entity_id == version)]
    assert {"deleted", "restored", "tag_added"} <= set(kinds)
    assert env.held() == env.served()


@pytest.mark.parametrize("share", [0.07, 0.14, 0.28, 0.29, 0.57, 1.0])
def test_deletes_up_to_the_limit_are_written(migrated_url: str, share: float) -> None:
    registry = Registry.generate(ml_repos=1, models=100, versions=0)
    with sync_env(migrated_url, registry) as env:
        env.sync(page_size=200)
        delete_models(env, round(share * 100))

        assert env.sync(max_delete_share=share).tallies[Entity.MODELS].deleted == round(share * 100)


@pytest.mark.parametrize("share", [0.0, 0.07, 0.28, 0.29])
def test_one_delete_over_the_limit_refuses_the_run(migrated_url: str, share: float) -> None:
    registry = Registry.generate(ml_repos=1, models=100, versions=0)
    with sync_env(migrated_url, registry) as env:
        env.sync(page_size=200)
        delete_models(env, round(share * 100) + 1)
        before = env.registry_dump()
        with pytest.raises(DeleteLimitExceeded, match="--allow-mass-delete"):
            env.sync(max_delete_share=share)

        assert env.registry_dump() == before


def test_limit_is_a_share_of_the_records_not_deleted_before(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 6)
    env.sync(allow_mass_delete=True)
    delete_models(env, 2)
    with pytest.raises(DeleteLimitExceeded, match="2 of 6 models are missing at the source, more than 20% at once"):
        env.sync()


def test_mass_delete_that_is_allowed_is_written(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 12)

    assert env.sync(allow_mass_delete=True).tallies[Entity.MODELS] == Tally(deleted=12)


def test_limit_applies_to_each_table_separately(env: SyncEnv) -> None:
    env.sync()
    for version in env.registry.ids("model-versions")[:8]:
        env.registry.delete_version(version)
    with pytest.raises(DeleteLimitExceeded, match="8 of 36 versions"):
        env.sync()


def test_dry_run_over_the_delete_limit_is_refused(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 6)
    summary = env.sync(dry_run=True)

    assert (summary.status, summary.exit_code) == ("refused", 5)
    assert summary.tallies[Entity.MODELS].deleted == 6
    assert "6 of 12 models are missing" in summary.warnings[-1]


def test_no_delete_deletes_nothing_and_the_next_run_does(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 2)
    summary = env.sync(no_delete=True)

    assert (summary.exit_code, summary.tallies[Entity.MODELS]) == (0, Tally(seen=10, unchanged=10))
    assert env.sync().tallies[Entity.MODELS].deleted == 2
    assert env.held() == env.served()


def test_unproven_sweep_deletes_nothing(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 1)
    env.plane.faults = [fault("wrong_total,endpoint=models")]
    summary = env.sync(max_sweeps=1)

    assert (summary.exit_code, summary.tallies[Entity.MODELS].deleted) == (3, 0)
    assert {row["deleted"] for row in env.rows(SyncRunCount)} == {0}
