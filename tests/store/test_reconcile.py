import pytest

from etl.errors import DeleteLimitExceeded
from etl.models import Change, MlRepo, Model, ModelVersion, SyncRunCount
from etl.simulator import Registry, fault
from etl.store import Tally
from tests.support.sync_env import SyncEnv, sync_env


def delete_models(mirror: SyncEnv, count: int) -> list[str]:
    gone = mirror.registry.ids("models")[:count]
    for model in gone:
        mirror.registry.delete_model(model)
    return gone


def test_what_is_gone_is_marked_and_stays(mirror: SyncEnv) -> None:
    mirror.sync()
    (gone,) = delete_models(mirror, 1)
    summary = mirror.sync()

    assert summary.tallies == {
        "ml_repos": Tally(seen=3, unchanged=3),
        "models": Tally(seen=11, unchanged=11, deleted=1),
        "model_versions": Tally(deleted=3),
    }
    model = mirror.row(Model, Model.id == gone)
    versions = mirror.rows(ModelVersion, ModelVersion.model_id == gone)
    assert [each["deleted_at"] for each in versions] == [model["deleted_at"]] * 3
    assert model["deleted_at"] == model["last_changed_at"] > model["first_seen_at"]
    assert mirror.held() == mirror.served()


def test_what_is_gone_is_counted_once(mirror: SyncEnv) -> None:
    mirror.sync()
    delete_models(mirror, 1)
    mirror.sync()
    before = mirror.registry_dump()

    assert mirror.sync(full=True).tallies["models"] == Tally(seen=11, unchanged=11)
    assert mirror.registry_dump() == before


def test_a_version_that_is_gone_is_found_when_its_model_looks_changed(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.delete_version(mirror.registry.ids("model-versions")[0])
    summary = mirror.sync()

    assert summary.tallies["model_versions"] == Tally(seen=2, unchanged=2, deleted=1)
    assert mirror.held() == mirror.served()


def test_an_older_version_that_is_gone_without_a_sign_is_found_by_a_full_run(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.delete_version(mirror.registry.ids("model-versions")[0], touch=False)

    assert mirror.sync().tallies["model_versions"] == Tally()
    assert mirror.sync(full=True).tallies["model_versions"] == Tally(seen=35, unchanged=35, deleted=1)


def test_an_ml_repo_that_is_gone_takes_all_inside_along(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.delete_ml_repo("2")
    summary = mirror.sync(allow_mass_delete=True)

    assert [tally.deleted for tally in summary.tallies.values()] == [1, 4, 12]
    assert mirror.row(MlRepo, MlRepo.deleted_at.is_not(None))["id"] == "2"
    assert mirror.held() == mirror.served()


def test_a_model_that_comes_back_brings_its_versions(mirror: SyncEnv) -> None:
    mirror.sync()
    before = mirror.held()
    (gone,) = delete_models(mirror, 1)
    mirror.sync()
    mirror.registry.restore(gone)
    summary = mirror.sync()

    assert summary.tallies["models"] == Tally(seen=12, unchanged=11, restored=1)
    assert summary.tallies["model_versions"] == Tally(seen=3, restored=3)
    assert mirror.held() == before
    told = [(row["entity"], row["kind"]) for row in mirror.rows(Change)]
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


def test_a_model_that_comes_back_brings_versions_that_are_not_read(mirror: SyncEnv) -> None:
    mirror.sync()
    (gone,) = delete_models(mirror, 1)
    mirror.sync()
    mirror.registry.restore(gone)
    summary = mirror.sync(versions="latest")

    assert summary.tallies["model_versions"] == Tally(seen=1, restored=3)
    assert mirror.held() == mirror.served()
    assert len(mirror.rows(Change, Change.kind == "restored")) == 4


def test_a_version_deleted_before_its_model_does_not_come_back_with_it(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.delete_version(mirror.registry.ids("model-versions")[0])
    mirror.sync()
    (gone,) = delete_models(mirror, 1)
    mirror.sync()
    mirror.registry.restore(gone)
    mirror.sync(versions="latest")

    assert mirror.held() == mirror.served()


def test_a_record_that_comes_back_older_than_it_was_is_restored_as_it_was(mirror: SyncEnv) -> None:
    version = mirror.registry.records("model-versions")[-1]
    mirror.sync()
    mirror.registry.delete_version(version["id"])
    mirror.sync()
    old = version | {"updated_at": "2020-01-01T00:00:00Z", "tags": ["long", "ago"]}
    mirror.registry.put_raw("model-versions", version["id"], old)
    summary = mirror.sync(full=True)
    stored = mirror.row(ModelVersion, ModelVersion.id == version["id"])

    assert summary.tallies["model_versions"] == Tally(seen=36, unchanged=35, restored=1)
    assert (stored["deleted_at"], stored["updated_at"].year) == (None, 2024)
    assert mirror.rows(Change, Change.kind == "tag_added") == []


def test_a_record_that_comes_back_changed_is_restored_and_told_field_by_field(mirror: SyncEnv) -> None:
    version = mirror.registry.ids("model-versions")[-1]
    mirror.sync()
    mirror.registry.delete_version(version)
    mirror.sync()
    mirror.registry.restore(version)
    mirror.registry.set_tags(version, ["back"])
    mirror.sync()

    kinds = [row["kind"] for row in mirror.rows(Change, Change.entity_id == version)]
    assert {"deleted", "restored", "tag_added"} <= set(kinds)
    assert mirror.held() == mirror.served()


@pytest.mark.parametrize("share", [0.07, 0.14, 0.28, 0.29, 0.57, 1.0])
def test_exactly_the_share_that_is_allowed_may_go(migrated_url: str, share: float) -> None:
    registry = Registry.generate(ml_repos=1, models=100, versions=0)
    with sync_env(migrated_url, registry) as mirror:
        mirror.sync(page_size=200)
        delete_models(mirror, round(share * 100))

        assert mirror.sync(max_delete_share=share).tallies["models"].deleted == round(share * 100)


@pytest.mark.parametrize("share", [0.0, 0.07, 0.28, 0.29])
def test_one_more_than_the_share_refuses_the_run(migrated_url: str, share: float) -> None:
    registry = Registry.generate(ml_repos=1, models=100, versions=0)
    with sync_env(migrated_url, registry) as mirror:
        mirror.sync(page_size=200)
        delete_models(mirror, round(share * 100) + 1)
        before = mirror.registry_dump()
        with pytest.raises(DeleteLimitExceeded, match="--allow-mass-delete"):
            mirror.sync(max_delete_share=share)

        assert mirror.registry_dump() == before


def test_what_is_deleted_already_does_not_count_for_the_share(mirror: SyncEnv) -> None:
    mirror.sync()
    delete_models(mirror, 6)
    mirror.sync(allow_mass_delete=True)
    delete_models(mirror, 2)
    with pytest.raises(DeleteLimitExceeded, match="2 of 6 models are missing at the source, more than 20% at once"):
        mirror.sync()


def test_a_mass_delete_that_is_allowed_is_written(mirror: SyncEnv) -> None:
    mirror.sync()
    delete_models(mirror, 12)

    assert mirror.sync(allow_mass_delete=True).tallies["models"] == Tally(deleted=12)


def test_the_share_is_looked_at_for_each_table_by_itself(mirror: SyncEnv) -> None:
    mirror.sync()
    for version in mirror.registry.ids("model-versions")[:8]:
        mirror.registry.delete_version(version)
    with pytest.raises(DeleteLimitExceeded, match="8 of 36 model_versions"):
        mirror.sync()


def test_a_dry_run_meets_the_guard_too(mirror: SyncEnv) -> None:
    mirror.sync()
    delete_models(mirror, 6)
    summary = mirror.sync(dry_run=True)

    assert (summary.status, summary.exit_code) == ("refused", 5)
    assert summary.tallies["models"].deleted == 6
    assert "6 of 12 models are missing" in summary.warnings[-1]


def test_no_delete_marks_nothing_and_a_later_run_does(mirror: SyncEnv) -> None:
    mirror.sync()
    delete_models(mirror, 2)
    summary = mirror.sync(no_delete=True)

    assert (summary.exit_code, summary.tallies["models"]) == (0, Tally(seen=10, unchanged=10))
    assert mirror.sync().tallies["models"].deleted == 2
    assert mirror.held() == mirror.served()


def test_a_sweep_that_was_not_proven_deletes_nothing(mirror: SyncEnv) -> None:
    mirror.sync()
    delete_models(mirror, 1)
    mirror.plane.faults = [fault("wrong_total,endpoint=models")]
    summary = mirror.sync(max_sweeps=1)

    assert (summary.exit_code, summary.tallies["models"].deleted) == (3, 0)
    assert {row["deleted"] for row in mirror.rows(SyncRunCount)} == {0}
