"""Coverage through the real command: each way in which a list can be missing, from the first run to the last."""

from typing import Any

import pytest

from etl.models import MlRepo, Model, ModelVersion
from etl.simulator import ENTITIES, Registry
from tests.support.sync_env import SyncEnv, sync_env

EVERY_LIST = frozenset(ENTITIES)
MODELS_ALONE = frozenset({"models"})


def missing(answer: str, lists: frozenset[str]) -> dict[str, Any]:
    """How a control plane behaves that answers so for these lists."""
    if answer == "403":
        return {"forbids": lists}
    return {"offers": EVERY_LIST - lists, "not_offered": None if answer == "html" else int(answer)}


def behave(env: SyncEnv, behaviour: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"offers": EVERY_LIST, "not_offered": 404, "forbids": frozenset()}
    for name, value in (usual | behaviour).items():
        setattr(env.plane, name, value)


def latest(env: SyncEnv) -> set[str]:
    return {model["latest_version"]["id"] for model in env.registry.records("models") if model["latest_version"]}


def stored(env: SyncEnv) -> set[str]:
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
def test_lists_that_are_missing_at_first_then_come_go_and_are_given_up(
    migrated_url: str, answer: str, prefix: str
) -> None:
    registry = Registry.generate(seed=5, ml_repos=2, models=8, versions=3, metrics=1)
    behaviour = missing(answer, EVERY_LIST - MODELS_ALONE)
    with sync_env(migrated_url, registry, prefixes=(prefix,), **behaviour) as env:
        first = env.result()
        requests = len(env.plane.log)
        assert (first["complete"], first["coverage"], first["retries"]) == (True, "latest", 0)
        assert len(first["warnings"]) == 1
        assert stored(env) == latest(env)
        assert {row["is_derived"] for row in env.rows(MlRepo)} == {True}
        assert requests <= 10

        before = env.registry_dump()
        second = env.result()
        assert (second["coverage"], second["warnings"]) == ("latest", [])
        assert env.registry_dump() == before

        behave(env, {})
        grown = env.result()
        assert (grown["coverage"], grown["mode"]) == ("all", "full")
        assert env.held() == env.served()
        assert {row["is_derived"] for row in env.rows(MlRepo)} == {False}

        behave(env, behaviour)
        env.registry.delete_model(env.registry.ids("models")[0])
        shrunk = env.result(exit_code=3)
        assert (shrunk["status"], shrunk["coverage"]) == ("partial", "latest")
        assert "--accept-coverage" in shrunk["warnings"][0]
        assert env.rows(Model, Model.deleted_at.is_not(None)) == []

        accepted = env.result("--accept-coverage")
        assert (accepted["coverage"], accepted["models"]["deleted"]) == ("latest", 1)
        current = env.rows(ModelVersion, ModelVersion.deleted_at.is_(None), ModelVersion.superseded_at.is_(None))
        assert {row["id"] for row in current} == latest(env)


@pytest.mark.parametrize("answer", ["404", "405", "501", "403", "html"])
@pytest.mark.parametrize(
    ("endpoint", "coverage", "derived"), [("ml-repos", "all", True), ("model-versions", "latest", False)]
)
def test_one_list_that_is_missing_leaves_the_others_whole(
    migrated_url: str, *, endpoint: str, coverage: str, derived: bool, answer: str
) -> None:
    with sync_env(migrated_url, **missing(answer, frozenset({endpoint}))) as env:
        summary = env.sync()

        assert (summary.exit_code, summary.coverage) == (0, coverage)
        assert {row["is_derived"] for row in env.rows(MlRepo)} == {derived}
        assert stored(env) == (set(env.registry.ids("model-versions")) if coverage == "all" else latest(env))
