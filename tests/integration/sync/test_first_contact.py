"""Servers and tokens that offer less than usual: only some ML repos, no models by id, or only a sample."""

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

MODELS_ONLY = frozenset({"models"})


def embedded(env: SyncEnv) -> dict[str, Any]:
    """Return the latest version that each model embeds, by id."""
    latest = (model["latest_version"] for model in env.registry.records("models"))
    return {version["id"]: version for version in latest if version}


def versions(env: SyncEnv) -> dict[str, Any]:
    return {row["id"]: row for row in env.rows(ModelVersion)}


class TestTokenThatMayReadOnlySomeMlRepos:
    def test_gets_the_latest_versions_of_the_others(self, env: SyncEnv) -> None:
        env.plane.faults = [forbid("2"), fault("forbid_unfiltered")]
        summary = env.sync()
        of_repo_2 = {row["id"] for row in env.rows(ModelVersion, ModelVersion.ml_repo_id == "2")}

        assert (summary.exit_code, summary.coverage) == (3, "all")
        assert of_repo_2 == {key for key, each in embedded(env).items() if each["ml_repo_id"] == "2"}
        assert len(versions(env)) - len(of_repo_2) == 24

    def test_covers_all_versions(self, env: SyncEnv) -> None:
        env.plane.faults = [forbid("1"), fault("forbid_unfiltered")]

        assert env.sync().coverage == "all"


def forbid(ml_repo_id: str) -> Fault:
    """Answer 403 for the versions of one ML repo."""

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        query = context.request.query
        of_model = {m["id"] for m in context.registry.records("models") if m["ml_repo_id"] == ml_repo_id}
        is_forbidden = query.get("ml_repo_id") == [ml_repo_id] or set(query.get("model_id", ())) & of_model
        return Response(status=403, body=b"{}") if is_forbidden else proceed()

    return replace(Fault(apply), endpoint="model-versions")


class TestConfirmingDeletes:
    def test_is_skipped_if_the_server_offers_no_models_by_id(
        self, env: SyncEnv, caplog: pytest.LogCaptureFixture
    ) -> None:
        env.sync()
        env.plane.single_records = False
        env.registry.delete_model(env.registry.ids("models")[0])
        with caplog.at_level(logging.INFO):
            summary = env.sync()

        assert (summary.exit_code, summary.tallies[Entity.MODELS].deleted) == (0, 1)
        assert "offers no GET /models/ID" in caplog.text

    def test_requests_a_listed_model_before_any_missing_one(self, env: SyncEnv) -> None:
        env.sync()
        deleted = env.registry.ids("models")[0]
        env.registry.delete_model(deleted)
        requests_before = len(env.plane.log)
        env.sync()
        requested_ids = [
            each.path.rpartition("/")[2] for each in env.plane.log[requests_before:] if "/models/" in each.path
        ]

        assert requested_ids[0] in env.registry.ids("models")
        assert requested_ids[1:] == [deleted]


def test_the_other_prefix_has_the_same_coverage(migrated_url: str) -> None:
    with sync_env(migrated_url, prefixes=("/api/svc/v1",), offers=MODELS_ONLY) as env:
        summary = env.sync()

        assert (summary.exit_code, summary.coverage) == (0, "latest")
        assert env.row(SyncRun)["api_prefix"] == "/api/svc/v1"


def test_sample_from_the_public_documentation_is_stored_as_incomplete(env: SyncEnv) -> None:
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
