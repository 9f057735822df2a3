"""Models that move to another ML repo, whose versions may still name the former one: no version is lost or stale."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from etl.enums import Entity
from etl.models import ModelVersion
from tests.support.sync_env import SyncEnv, four_models_env

run_module = sys.modules["etl.sync.run"]  # etl.sync.run is the function


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    with four_models_env(migrated_url) as env:
        yield env


def move(env: SyncEnv, model: str, ml_repo: str, *, with_versions: bool) -> None:
    """Move a model to another ML repo."""
    for version in env.versions_of(model) if with_versions else ():
        env.registry.set_fields(version["id"], {"ml_repo_id": ml_repo})
    env.registry.set_fields(model, {"ml_repo_id": ml_repo})


@pytest.mark.parametrize("stored", [True, False])
def test_versions_that_name_the_former_ml_repo_are_up_to_date_after_a_run_over_the_new_one(
    env: SyncEnv, *, stored: bool
) -> None:
    model = env.registry.ids("models")[0]
    move(env, model, "2", with_versions=False)
    if stored:
        env.sync()
    env.registry.add_version(model)
    env.registry.set_description(env.versions_of(model)[0]["id"], "new")
    options = {"ml_repo": ("2",), "full": True, "confirm_deletes": 0, "allow_mass_delete": True}
    first = env.sync(**options)
    served = env.served()["model_versions"]
    expected = {each["id"]: served[each["id"]] for each in env.versions_of(model)}
    held = env.held()["model_versions"]

    assert first.complete
    if stored:
        assert {each: held.get(each) for each in expected} == expected
    else:  # a list of the ML repo returns only the new version, and nothing tells of the others
        assert env.versions_of(model)[-1]["id"] in held
    assert env.sync(full=True).complete
    assert env.held() == env.served()


def test_version_deleted_before_its_model_moved_is_deleted_by_a_run_over_the_new_ml_repo(env: SyncEnv) -> None:
    env.sync()
    model = env.registry.ids("models")[0]
    deleted = env.versions_of(model)[0]["id"]
    env.registry.delete_version(deleted)
    move(env, model, "2", with_versions=True)
    summary = env.sync(ml_repo=("2",), full=True, allow_mass_delete=True)

    assert summary.complete
    assert deleted not in env.held()["model_versions"]
    assert env.held()["model_versions"] == env.served()["model_versions"]


def test_model_that_moves_between_the_lists_of_two_ml_repos_keeps_its_versions(migrated_url: str) -> None:
    with four_models_env(migrated_url, versions_listing="ml_repo") as env:
        env.sync()
        model = env.registry.ids("models")[-1]
        env.registry.order = "created_desc"
        moved: list[str] = []

        def move_once(_number: int, path: str, query: dict[str, list[str]]) -> None:
            of_repo = path.endswith("/model-versions") and query.get("ml_repo_id") == ["2"]
            if of_repo and query["offset"] != ["0"] and not moved:
                moved.append(model)
                move(env, model, "1", with_versions=True)

        env.plane.before_request = move_once
        summary = env.sync(full=True, page_size=2, concurrency=1)

        assert moved
        assert summary.status == "partial"
        assert env.held()["model_versions"].keys() == env.served()["model_versions"].keys()
        env.plane.before_request = None
        assert env.sync(full=True).complete
        assert env.held() == env.served()


def test_delete_limit_counts_the_versions_of_models_that_move_in(env: SyncEnv) -> None:
    env.sync()
    model, *others = env.registry.ids("models")
    for version in [each for other in others for each in env.versions_of(other)][2:]:
        env.registry.delete_version(version["id"])
    env.sync(allow_mass_delete=True)
    deleted = [each["id"] for each in env.versions_of(model)[:2]]
    for version in deleted:
        env.registry.delete_version(version)
    move(env, model, "2", with_versions=True)
    summary = env.sync(ml_repo=("2",), max_delete_share=0.9)

    assert summary.tallies[Entity.MODEL_VERSIONS].deleted == len(deleted)
    served = [each for each in env.registry.records("model-versions") if each["ml_repo_id"] == "2"]
    assert summary.total(Entity.MODEL_VERSIONS) == len(served)


@pytest.mark.parametrize("dialect", ["postgresql"])
def test_superseded_version_is_restored_with_a_model_that_another_run_deletes_at_the_same_time(
    env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    env.plane.offers = frozenset({"models", "ml-repos"})
    env.sync()
    model = env.registry.ids("models")[0]
    env.registry.add_version(model)
    env.sync()
    move(env, model, "2", with_versions=True)
    commit = run_module._commit

    def commit_after_another_run(*arguments: Any) -> None:
        monkeypatch.undo()
        env.sync(ml_repo=("1",), confirm_deletes=0, allow_mass_delete=True)
        commit(*arguments)

    monkeypatch.setattr(run_module, "_commit", commit_after_another_run)
    env.sync(ml_repo=("2",))
    versions = env.rows(ModelVersion, ModelVersion.model_id == model)

    assert sorted((row["superseded_at"] is not None, row["deleted_at"]) for row in versions) == [
        (False, None),
        (True, None),
    ]
