"""Coverage with the real command, for each way in which a control plane refuses a list."""

from typing import Any

import pytest

from etl.models import MlRepo, Model, ModelVersion
from etl.simulator import ENTITIES, Registry
from tests.support.sync_env import SyncEnv, sync_env

EVERY_LIST = frozenset(ENTITIES)
MODELS_ONLY = frozenset({"models"})


def without_lists(answer: str, lists: frozenset[str]) -> dict[str, Any]:
    """Return simulator settings that refuse these lists with this answer."""
    if answer == "403":
        return {"forbids": lists}
    return {"offers": EVERY_LIST - lists, "not_offered": None if answer == "html" else int(answer)}


def set_behaviour(env: SyncEnv, behaviour: dict[str, Any]) -> None:
    defaults: dict[str, Any] = {"offers": EVERY_LIST, "not_offered": 404, "forbids": frozenset()}
    for name, value in (defaults | behaviour).items():
        setattr(env.plane, name, value)


def latest_version_ids(env: SyncEnv) -> set[str]:
    return {model["latest_version"]["id"] for model in env.registry.records("models") if model["latest_version"]}


def stored_version_ids(env: SyncEnv) -> set[str]:
    return {row["id"] for row in env.rows(ModelVersion, ModelVersion.deleted_at.is_(None))}


@pytest.mark.parametrize(
    ("answer", "prefix"),
    [
        ("404", "/api/ml/v1"),
        ("405", "/api/svc/v1"),
        ("410", "/api/ml/v1"),
        ("501", "/api/svc/v1"),
        ("403", "/api/ml/v1"),
        ("html", "/api/svc/v1"),
    ],
)
def test_coverage_grows_then_shrinks_and_the_loss_is_accepted(migrated_url: str, answer: str, prefix: str) -> None:
    registry = Registry.generate(seed=5, ml_repos=2, models=8, versions=3, metrics=1)
    behaviour = without_lists(answer, EVERY_LIST - MODELS_ONLY)
    with sync_env(migrated_url, registry, prefixes=(prefix,), **behaviour) as env:
        first = env.result()
        requests = len(env.plane.log)
        assert (first["complete"], first["coverage"], first["retries"]) == (True, "latest", 0)
        assert len(first["warnings"]) == 1
        assert stored_version_ids(env) == latest_version_ids(env)
        assert {row["is_derived"] for row in env.rows(MlRepo)} == {True}
        assert requests <= 10

        before = env.registry_dump()
        second = env.result()
        assert (second["coverage"], second["warnings"]) == ("latest", [])
        assert env.registry_dump() == before

        set_behaviour(env, {})
        grown = env.result()
        assert (grown["coverage"], grown["mode"]) == ("all", "full")
        assert env.held() == env.served()
        assert {row["is_derived"] for row in env.rows(MlRepo)} == {False}

        set_behaviour(env, behaviour)
        env.registry.delete_model(env.registry.ids("models")[0])
        shrunk = env.result(exit_code=3)
        assert (shrunk["status"], shrunk["coverage"]) == ("partial", "latest")
        assert "--accept-coverage" in shrunk["warnings"][0]
        assert env.rows(Model, Model.deleted_at.is_not(None)) == []

        accepted = env.result("--accept-coverage")
        assert (accepted["coverage"], accepted["models"]["deleted"]) == ("latest", 1)
        current = env.rows(ModelVersion, ModelVersion.deleted_at.is_(None), ModelVersion.superseded_at.is_(None))
        assert {row["id"] for row in current} == latest_version_ids(env)


@pytest.mark.parametrize("answer", ["404", "405", "501", "403", "html"])
@pytest.mark.parametrize(
    ("endpoint", "coverage", "derived"), [("ml-repos", "all", True), ("model-versions", "latest", False)]
)
def test_one_missing_list_does_not_affect_the_others(
    migrated_url: str, *, endpoint: str, coverage: str, derived: bool, answer: str
) -> None:
    with sync_env(migrated_url, **without_lists(answer, frozenset({endpoint}))) as env:
        summary = env.sync()

        assert (summary.exit_code, summary.coverage) == (0, coverage)
        assert {row["is_derived"] for row in env.rows(MlRepo)} == {derived}
        assert stored_version_ids(env) == (
            set(env.registry.ids("model-versions")) if coverage == "all" else latest_version_ids(env)
        )
