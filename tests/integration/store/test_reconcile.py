import pytest

from etl.enums import Entity
from etl.errors import DeleteLimitExceeded
from etl.models import Change, MlRepo, Model, ModelVersion, SyncRunCount
from etl.simulator import Registry, fault
from etl.store import Tally
from tests.support.sync_env import SyncEnv, sync_env


def delete_models(env: SyncEnv, count: int) -> list[str]:
    gone = env.registry.ids("models")[:count]
    for model in gone:
        env.registry.delete_model(model)
    return gone


def test_what_is_gone_is_marked_and_stays(env: SyncEnv) -> None:
    env.sync()
    (gone,) = delete_models(env, 1)
    summary = env.sync()

    assert summary.tallies == {
        "ml_repos": Tally(seen=3, unchanged=3),
        "models": Tally(seen=11, unchanged=11, deleted=1),
        "model_versions": Tally(deleted=3),
    }
    model = env.row(Model, Model.id == gone)
    versions = env.rows(ModelVersion, ModelVersion.model_id == gone)
    assert [each["deleted_at"] for each in versions] == [model["deleted_at"]] * 3
    assert model["deleted_at"] == model["last_changed_at"] > model["first_seen_at"]
    assert env.held() == env.served()


def test_what_is_gone_is_counted_once(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 1)
    env.sync()
    before = env.registry_dump()

    assert env.sync(full=True).tallies[Entity.MODELS] == Tally(seen=11, unchanged=11)
    assert env.registry_dump() == before


def test_a_version_that_is_gone_is_found_when_its_model_looks_changed(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_version(env.registry.ids("model-versions")[0])
    summary = env.sync()

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=2, unchanged=2, deleted=1)
    assert env.held() == env.served()


def test_an_older_version_that_is_gone_without_a_sign_is_found_by_a_full_run(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_version(env.registry.ids("model-versions")[0], touch=False)

    assert env.sync().tallies[Entity.MODEL_VERSIONS] == Tally()
    assert env.sync(full=True).tallies[Entity.MODEL_VERSIONS] == Tally(seen=35, unchanged=35, deleted=1)


def test_an_ml_repo_that_is_gone_takes_all_inside_along(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_ml_repo("2")
    summary = env.sync(allow_mass_delete=True)

    assert [tally.deleted for tally in summary.tallies.values()] == [1, 4, 12]
    assert env.row(MlRepo, MlRepo.deleted_at.is_not(None))["id"] == "2"
    assert env.held() == env.served()


def test_a_model_that_comes_back_brings_its_versions(env: SyncEnv) -> None:
    env.sync()
    before = env.held()
    (gone,) = delete_models(env, 1)
    env.sync()
    env.registry.restore(gone)
    summary = env.sync()

    assert summary.tallies[Entity.MODELS] == Tally(seen=12, unchanged=11, restored=1)
    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=3, restored=3)
    assert env.held() == before
    told = [(row["entity"], row["kind"]) for row in env.rows(Change)]
    assert sorted(told) == [
        ("model_versions", "deleted"),
        ("model_versions", "deleted"),
        ("model_versions", "deleted"),
        ("model_versions", "restored"),
        ("model_versions", "restored"),
        ("model_versions", "restored"),
        ("models", "deleted"),
        ("models", "restored"),
    ]


def test_a_model_that_comes_back_brings_versions_that_are_not_read(env: SyncEnv) -> None:
    env.sync()
    (gone,) = delete_models(env, 1)
    env.sync()
    env.registry.restore(gone)
    summary = env.sync(versions="latest")

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=1, restored=3)
    assert env.held() == env.served()
    assert len(env.rows(Change, Change.kind == "restored")) == 4


def test_a_version_deleted_before_its_model_does_not_come_back_with_it(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_version(env.registry.ids("model-versions")[0])
    env.sync()
    (gone,) = delete_models(env, 1)
    env.sync()
    env.registry.restore(gone)
    env.sync(versions="latest")

    assert env.held() == env.served()


def test_a_record_that_comes_back_older_than_it_was_is_restored_as_it_was(env: SyncEnv) -> None:
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


def test_a_record_that_comes_back_changed_is_restored_and_told_field_by_field(env: SyncEnv) -> None:
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
def test_exactly_the_share_that_is_allowed_may_go(migrated_url: str, share: float) -> None:
    registry = Registry.generate(ml_repos=1, models=100, versions=0)
    with sync_env(migrated_url, registry) as env:
        env.sync(page_size=200)
        delete_models(env, round(share * 100))

        assert env.sync(max_delete_share=share).tallies[Entity.MODELS].deleted == round(share * 100)


@pytest.mark.parametrize("share", [0.0, 0.07, 0.28, 0.29])
def test_one_more_than_the_share_refuses_the_run(migrated_url: str, share: float) -> None:
    registry = Registry.generate(ml_repos=1, models=100, versions=0)
    with sync_env(migrated_url, registry) as env:
        env.sync(page_size=200)
        delete_models(env, round(share * 100) + 1)
        before = env.registry_dump()
        with pytest.raises(DeleteLimitExceeded, match="--allow-mass-delete"):
            env.sync(max_delete_share=share)

        assert env.registry_dump() == before


def test_what_is_deleted_already_does_not_count_for_the_share(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 6)
    env.sync(allow_mass_delete=True)
    delete_models(env, 2)
    with pytest.raises(DeleteLimitExceeded, match="2 of 6 models are missing at the source, more than 20% at once"):
        env.sync()


def test_a_mass_delete_that_is_allowed_is_written(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 12)

    assert env.sync(allow_mass_delete=True).tallies[Entity.MODELS] == Tally(deleted=12)


def test_the_share_is_looked_at_for_each_table_by_itself(env: SyncEnv) -> None:
    env.sync()
    for version in env.registry.ids("model-versions")[:8]:
        env.registry.delete_version(version)
    with pytest.raises(DeleteLimitExceeded, match="8 of 36 versions"):
        env.sync()


def test_a_dry_run_meets_the_guard_too(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 6)
    summary = env.sync(dry_run=True)

    assert (summary.status, summary.exit_code) == ("refused", 5)
    assert summary.tallies[Entity.MODELS].deleted == 6
    assert "6 of 12 models are missing" in summary.warnings[-1]


def test_no_delete_marks_nothing_and_a_later_run_does(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 2)
    summary = env.sync(no_delete=True)

    assert (summary.exit_code, summary.tallies[Entity.MODELS]) == (0, Tally(seen=10, unchanged=10))
    assert env.sync().tallies[Entity.MODELS].deleted == 2
    assert env.held() == env.served()


def test_a_sweep_that_was_not_proven_deletes_nothing(env: SyncEnv) -> None:
    env.sync()
    delete_models(env, 1)
    env.plane.faults = [fault("wrong_total,endpoint=models")]
    summary = env.sync(max_sweeps=1)

    assert (summary.exit_code, summary.tallies[Entity.MODELS].deleted) == (3, 0)
    assert {row["deleted"] for row in env.rows(SyncRunCount)} == {0}
