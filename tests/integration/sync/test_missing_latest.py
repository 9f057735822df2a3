"""Models whose latest version no list of versions returns: hidden, or the model changed during the run."""

import itertools
from collections.abc import Iterator

import pytest

from etl.models import ModelVersion
from tests.support.hidden_records import hide
from tests.support.sync_env import SyncEnv, four_models_env


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    with four_models_env(migrated_url) as env:
        yield env


def test_new_version_that_its_list_does_not_return_yet_is_stored_from_its_model(
    env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    env.sync()
    new = env.registry.add_version(env.registry.ids("models")[0])
    hide(env, monkeypatch, lambda each: each.id == new)
    summaries = [env.sync(max_records=6) for _ in range(2)]  # the second reading of the models counts anew
    warning = (
        "The list of versions of 1 model lacks its latest version: it is copied from the model, and no version of that "
        "model is deleted."
    )
    assert [(each.complete, each.warnings) for each in summaries] == [(True, [warning])] * 2
    assert new in {row["id"] for row in env.rows(ModelVersion)}

    monkeypatch.undo()
    env.registry._lists.clear()
    assert env.sync().plan.way == "by model"
    assert env.held() == env.served()


def test_versions_that_their_list_hides_are_not_deleted_while_their_model_embeds_one(
    env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    env.sync()
    model = env.registry.ids("models")[0]
    env.registry.set_description(env.registry.get("models", model)["latest_version"]["id"], "new")
    hide(env, monkeypatch, lambda each: each.model_id == model)
    summary = env.sync(confirm_deletes=0, allow_mass_delete=True)

    assert summary.complete
    assert env.held() == env.served()


@pytest.mark.parametrize("deleted", ["its model", "its model's latest version"])
def test_version_deleted_before_a_run_is_deleted_although_the_run_finds_more_deleted(
    deleted: str, env: SyncEnv
) -> None:
    env.sync()
    model = env.registry.ids("models")[0]
    old, _, latest = (each["id"] for each in env.versions_of(model))
    env.registry.delete_version(old)

    deletes: list[str] = []

    def delete_between_lists(_number: int, _path: str, query: dict[str, list[str]]) -> None:
        if "model_id" in query and not deletes:
            deletes.append(deleted)
            env.registry.delete_model(model) if deleted == "its model" else env.registry.delete_version(latest)

    env.plane.before_request = delete_between_lists
    summary = env.sync(confirm_deletes=0, allow_mass_delete=True)

    assert deletes
    assert (summary.plan.way, summary.complete) == ("by model", True)
    assert env.held()["model_versions"] == env.served()["model_versions"]


def test_run_is_partial_if_the_latest_version_of_a_model_changes_again_and_again(env: SyncEnv) -> None:
    env.sync()
    model = env.registry.ids("models")[0]
    old, _, latest = (each["id"] for each in env.versions_of(model))
    env.registry.delete_version(old)
    lists: list[str] = []

    def delete_and_add(_number: int, path: str, query: dict[str, list[str]]) -> None:
        if "model_id" in query:
            lists.append("versions")
            env.registry.delete_version(latest)
        elif lists == ["versions"] and path.endswith("/models"):
            lists.append("models")
            env.registry.add_version(model)

    env.plane.before_request = delete_and_add
    summary = env.sync(confirm_deletes=0, allow_mass_delete=True)
    env.plane.before_request = None

    assert lists == ["versions", "models"]
    assert (summary.status, summary.warnings) == (
        "partial",
        ["1 model changed while the run read its versions: nothing is deleted, the next run reads them again."],
    )
    assert env.sync(allow_mass_delete=True).complete
    assert env.held() == env.served()


def test_hidden_latest_version_is_read_by_the_next_run_if_the_models_move_when_they_are_read_again(
    env: SyncEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    env.sync()
    model = env.registry.ids("models")[0]
    hidden = {env.registry.add_version(model)}
    orders = itertools.cycle(("created", "created_desc"))
    hide(env, monkeypatch, lambda each: each.id in hidden)

    def move_models(_number: int, path: str, query: dict[str, list[str]]) -> None:
        if "model_id" in query:
            hidden.add(model)
            env.registry._lists.clear()
        elif model in hidden:
            env.registry.order = next(orders)

    env.plane.before_request = move_models
    summary = env.sync(page_size=2, max_sweeps=1)
    env.plane.before_request = None
    monkeypatch.undo()
    env.registry._lists.clear()

    assert (summary.status, [each.split(" could")[0] for each in summary.warnings]) == (
        "partial",
        ["The list of models"],
    )
    assert env.sync().plan.way == "by model"
    assert env.held() == env.served()
