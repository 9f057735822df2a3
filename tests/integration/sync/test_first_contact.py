"""Servers and tokens that offer less than a control plane does: some ML repos alone, no single models, a sample."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from etl.enums import Entity
from etl.models import MlRepo, Model, ModelVersion, SyncRun
from etl.simulator import Fault, fault
from etl.simulator.faults import FaultContext
from etl.simulator.http_types import Proceed, Response
from tests.support.public_sample import SAMPLE
from tests.support.sync_env import SyncEnv, sync_env

MODELS_ALONE = frozenset({"models"})


def embedded(env: SyncEnv) -> dict[str, Any]:
    """The latest version inside each model, by id."""
    latest = (model["latest_version"] for model in env.registry.records("models"))
    return {version["id"]: version for version in latest if version}


def versions(env: SyncEnv) -> dict[str, Any]:
    return {row["id"]: row for row in env.rows(ModelVersion)}


class TestATokenThatMayReadSomeMlReposAlone:
    def test_gets_the_latest_versions_of_the_others(self, env: SyncEnv) -> None:
        env.plane.faults = [forbidding("2"), fault("forbid_unfiltered")]
        summary = env.sync()
        of_two = {row["id"] for row in env.rows(ModelVersion, ModelVersion.ml_repo_id == "2")}

        assert (summary.exit_code, summary.coverage) == (3, "all")
        assert of_two == {key for key, each in embedded(env).items() if each["ml_repo_id"] == "2"}
        assert len(versions(env)) - len(of_two) == 24

    def test_is_not_told_that_versions_cannot_be_listed(self, env: SyncEnv) -> None:
        env.plane.faults = [forbidding("1"), fault("forbid_unfiltered")]

        assert env.sync().coverage == "all"


def forbidding(ml_repo_id: str) -> Fault:
    """403 for the versions of one ML repo."""

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        query = context.request.query
        of_model = {m["id"] for m in context.registry.records("models") if m["ml_repo_id"] == ml_repo_id}
        asked = query.get("ml_repo_id") == [ml_repo_id] or set(query.get("model_id", ())) & of_model
        return Response(status=403, body=b"{}") if asked else proceed()

    return replace(Fault(apply), endpoint="model-versions")


class TestConfirmingDeletes:
    def test_without_a_route_for_single_models_the_lists_decide(
        self, env: SyncEnv, caplog: pytest.LogCaptureFixture
    ) -> None:
        env.sync()
        env.plane.single_records = False
        env.registry.delete_model(env.registry.ids("models")[0])
        with caplog.at_level(logging.INFO):
            summary = env.sync()

        assert (summary.exit_code, summary.tallies[Entity.MODELS].deleted) == (0, 1)
        assert "offers no GET /models/ID" in caplog.text

    def test_a_listed_model_is_asked_for_before_any_missing_one(self, env: SyncEnv) -> None:
        env.sync()
        gone, witness = env.registry.ids("models")[:2]
        env.registry.delete_model(gone)
        asked = len(env.plane.log)
        env.sync()
        single = [each.path.rpartition("/")[2] for each in env.plane.log[asked:] if "/models/" in each.path]

        assert single[0] != gone
        assert single[0] in env.registry.ids("models")
        assert single[1:] == [gone]
        assert witness in env.registry.ids("models")


def test_the_other_prefix_has_the_same_coverage(migrated_url: str) -> None:
    with sync_env(migrated_url, prefixes=("/api/svc/v1",), offers=MODELS_ALONE) as env:
        summary = env.sync()

        assert (summary.exit_code, summary.coverage) == (0, "latest")
        assert env.row(SyncRun)["api_prefix"] == "/api/svc/v1"


def test_the_sample_of_the_public_documentation_is_stored_and_not_taken_for_complete(env: SyncEnv) -> None:
    body = json.dumps(SAMPLE).encode()
    env.plane.faults = [Fault(lambda _, __: Response(body=body))]
    summary = env.sync()

    assert (summary.exit_code, summary.coverage, summary.rejected) == (3, "latest", 0)
    assert len(env.plane.log) <= 20
    assert any("ignores `offset`" in each for each in summary.warnings)
    assert (len(env.rows(Model)), len(env.rows(ModelVersion)), len(env.rows(MlRepo))) == (1, 1, 1)


def test_a_server_that_ignores_offset_and_limit_is_read_once(env: SyncEnv) -> None:
    env.plane.faults = [fault("same_page"), fault("total_is:100")]
    summary = env.sync(page_size=5)

    assert (summary.exit_code, len(env.plane.log) <= 20) == (3, True)
    assert len(env.rows(Model)) == 5
