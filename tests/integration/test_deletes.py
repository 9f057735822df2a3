"""Deletes: only of records that no longer exist, and none because the token lost a permission."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from etl.enums import Entity
from etl.errors import DeleteLimitExceeded
from etl.models import Change, MlRepo, Model, ModelVersion
from etl.simulator import Registry, fault
from etl.simulator.faults import Fault, FaultContext
from etl.simulator.http_types import Proceed, Request, Response, refusal
from etl.store import Tally
from tests.support.faults import at_request
from tests.support.sync_env import SyncEnv, sync_env

FORBIDDEN = refusal(403, "Forbidden: the token may not read this.")


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    """Six ML repos with two models each, which have two versions each."""
    registry = Registry.generate(seed=3, ml_repos=6, models=12, versions=2, metrics=1, empty_share=0)
    with sync_env(migrated_url, registry) as env:
        yield env


def hide_from_lists(is_hidden: Callable[[dict[str, Any]], bool], single: Response | None = None) -> Fault:
    """Hide records from lists; a request by id finds a hidden record, or gets the answer `single`."""

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        request = context.request
        if "offset" not in request.query:
            answer = proceed()
            hidden = answer.status == 200 and is_hidden(json.loads(answer.body)["data"])
            return single if single and hidden else answer
        offset, limit = (int(request.query[name][0]) for name in ("offset", "limit"))
        answer = context.ask(whole_list(request))
        listed = [record for record in json.loads(answer.body)["data"] if not is_hidden(record)]
        page = {"data": listed[offset : offset + limit], "pagination": {"total": len(listed)}}
        return replace(answer, body=json.dumps(page).encode())

    return Fault(apply)


def whole_list(request: Request) -> Request:
    return replace(request, query=request.query | {"offset": ["0"], "limit": ["1000"]})


def is_of_repo(ml_repo_id: str) -> Callable[[dict[str, Any]], bool]:
    return lambda record: record.get("ml_repo_id", record["id"]) == ml_repo_id


def paths(env: SyncEnv) -> list[str]:
    return [logged.path.rpartition("/api/ml/v1/")[2] for logged in env.plane.log]


class TestMissingModel:
    def test_is_deleted_after_a_request_by_its_id_finds_nothing(self, env: SyncEnv) -> None:
        env.sync()
        deleted = env.registry.ids("models")[4]
        env.registry.delete_model(deleted)
        summary = env.sync()

        assert f"models/{deleted}" in paths(env)
        assert summary.tallies[Entity.MODELS] == Tally(seen=11, unchanged=11, deleted=1)
        assert (summary.complete, summary.exit_code) == (True, 0)
        assert env.held() == env.served()

    def test_is_kept_if_a_request_by_its_id_finds_it(self, env: SyncEnv) -> None:
        env.sync()
        hidden = env.registry.ids("models")[4]
        env.plane.faults = [hide_from_lists(lambda record: record["id"] == hidden)]
        env.registry.delete_version(env.registry.ids("model-versions")[0])
        summary = env.sync(full=True)

        assert (summary.complete, summary.exit_code) == (False, 3)
        assert {tally.deleted for tally in summary.tallies.values()} == {0}
        assert hidden in "".join(summary.warnings)
        assert env.row(Model, Model.id == hidden)["deleted_at"] is None
        env.plane.faults = []
        assert env.sync(full=True).complete
        assert env.held() == env.served()

    def test_is_kept_if_the_token_may_not_read_it(self, env: SyncEnv) -> None:
        env.sync()
        hidden = env.registry.ids("models")[4]
        env.plane.faults = [hide_from_lists(lambda record: record["id"] == hidden, single=FORBIDDEN)]
        summary = env.sync()

        assert (summary.complete, summary.tallies[Entity.MODELS].deleted) == (False, 0)

    @pytest.mark.parametrize("answer", [FORBIDDEN, Response(body=b"<html>", content_type="text/html")])
    def test_is_deleted_if_no_model_can_be_read_by_its_id(self, env: SyncEnv, answer: Response) -> None:
        env.sync()
        deleted = env.registry.ids("models")[4]
        env.registry.delete_model(deleted)
        env.plane.faults = [
            Fault(
                lambda context, proceed: proceed() if "offset" in context.request.query else answer, endpoint="models"
            )
        ]
        summary = env.sync()

        assert (summary.complete, summary.tallies[Entity.MODELS].deleted) == (True, 1)
        assert sum(path.startswith("models/") for path in paths(env)) == 2

    @pytest.mark.parametrize("deleted", [slice(4, 6), slice(None)], ids=["some", "all"])
    def test_is_kept_if_no_request_by_id_is_answered(self, env: SyncEnv, deleted: slice) -> None:
        env.sync()
        for model in env.registry.ids("models")[deleted]:
            env.registry.delete_model(model)
        env.plane.faults = [
            Fault(
                lambda context, proceed: proceed() if "offset" in context.request.query else refusal(503, "Busy"),
                endpoint="models",
            )
        ]
        summary = env.sync(allow_mass_delete=True)

        assert (summary.status, summary.tallies[Entity.MODELS].deleted) == ("partial", 0)
        assert sum(path.startswith("models/") for path in paths(env)) <= 3  # no request for each of the others

    def test_is_kept_although_the_first_listed_model_is_deleted_before_the_requests_by_id(self, env: SyncEnv) -> None:
        env.sync()
        first, *_, hidden = sorted(env.registry.ids("models"))
        env.plane.faults = [hide_from_lists(lambda record: record["id"] == hidden)]

        requested = at_request(env, first, 1, lambda: env.registry.delete_model(first))
        summary = env.sync()

        assert requested
        assert summary.status == "partial"
        assert env.row(Model, Model.id == hidden)["deleted_at"] is None

    def test_is_deleted_after_a_transient_failure_of_the_request_by_its_id(self, env: SyncEnv) -> None:
        env.sync()
        deleted = env.registry.ids("models")[4]
        env.registry.delete_model(deleted)
        failures = iter([Response(body=b"<html>", content_type="text/html")])
        env.plane.faults = [
            Fault(
                lambda context, proceed: (
                    next(failures, None) or proceed() if context.request.path.endswith(deleted) else proceed()
                ),
                endpoint="models",
            )
        ]
        summary = env.sync()

        assert (summary.complete, summary.tallies[Entity.MODELS].deleted) == (True, 1)
        assert paths(env).count(f"models/{deleted}") == 2

    def test_is_deleted_without_a_request_by_its_id_if_too_many_are_missing(self, env: SyncEnv) -> None:
        env.sync()
        for deleted in env.registry.ids("models")[:3]:
            env.registry.delete_model(deleted)
        summary = env.sync(confirm_deletes=2, max_delete_share=1.0)

        assert summary.tallies[Entity.MODELS].deleted == 3
        assert not [path for path in paths(env) if path.startswith("models/")]

    def test_is_requested_by_its_id_in_a_dry_run_too(self, env: SyncEnv) -> None:
        env.sync()
        hidden = env.registry.ids("models")[4]
        env.plane.faults = [hide_from_lists(lambda record: record["id"] == hidden)]

        assert env.sync(dry_run=True).complete is False


class TestMlRepoThatTheTokenCannotReadAnyMore:
    def test_is_named_in_a_warning_if_its_models_are_deleted(self, env: SyncEnv) -> None:
        env.sync()
        (repo,) = env.rows(MlRepo, MlRepo.id == "2")
        env.plane.faults = [hide_from_lists(is_of_repo("2"))]
        summary = env.sync(confirm_deletes=0, max_delete_share=0.2)

        assert summary.tallies[Entity.MODELS].deleted == 2
        assert f"All 2 models of ML repo 2 ({repo['name']}) are missing, and so is the ML repo" in summary.warnings[0]

    def test_is_named_in_a_warning_even_if_it_is_still_listed(self, env: SyncEnv) -> None:
        env.sync()
        env.plane.faults = [hide_from_lists(lambda record: record.get("ml_repo_id") == "2")]

        assert "but the ML repo is still listed" in env.sync(confirm_deletes=0).warnings[0]

    def test_is_named_if_the_delete_limit_refuses_the_run(self, env: SyncEnv) -> None:
        env.sync()
        (repo,) = env.rows(MlRepo, MlRepo.id == "2")
        before = env.registry_dump()
        env.plane.faults = [hide_from_lists(is_of_repo("2"))]
        with pytest.raises(DeleteLimitExceeded) as refused:
            env.sync(max_delete_share=0.1, confirm_deletes=0)

        assert f"All models of ML repo 2 ({repo['name']}) are missing." in str(refused.value)
        assert env.registry_dump() == before

    def test_keeps_its_models_if_each_answers_403(self, env: SyncEnv) -> None:
        env.sync()
        env.plane.faults = [hide_from_lists(is_of_repo("2"), single=FORBIDDEN)]
        summary = env.sync()

        assert (summary.complete, summary.tallies[Entity.MODELS].deleted) == (False, 0)
        assert env.held()["models"] == env.served()["models"]

    def test_is_the_only_one_named_if_another_lost_only_some_models(self, env: SyncEnv) -> None:
        env.sync()
        first_of_repo = {record["ml_repo_id"]: record["id"] for record in env.registry.records("models")}
        env.registry.delete_model(first_of_repo["1"])
        env.registry.delete_ml_repo("2")
        warnings = [line for line in env.sync(max_delete_share=0.3).warnings if "ML repo" in line]

        assert len(warnings) == 1
        assert "ML repo 2 " in warnings[0]


class TestVersionsThatTheTokenMayNotRead:
    """A 403 for some versions does not prevent a run from storing the others."""

    def test_of_one_ml_repo_make_the_run_incomplete(self, env: SyncEnv) -> None:
        models = {record["id"] for record in env.registry.records("models") if record["ml_repo_id"] == "2"}
        env.plane.faults = [
            fault("forbid_unfiltered"),
            forbid("ml_repo_id", {"2"}),
            forbid("model_id", models),
        ]
        summary = env.sync()

        # Twenty of the other ML repos, and the latest one of each of the two models.
        assert (summary.complete, summary.exit_code, summary.tallies[Entity.MODEL_VERSIONS].seen) == (False, 3, 20 + 2)
        assert "ml_repo_id=2 cannot be read (403)" in summary.warnings[0]
        again = env.sync()
        assert again.plan.way in {"sweep", "by model"}
        assert again.tallies[Entity.MODEL_VERSIONS].inserted == 0
        env.plane.faults = []
        assert env.sync().complete
        assert env.held() == env.served()

    def test_of_one_model_make_the_run_incomplete(self, env: SyncEnv) -> None:
        env.sync()
        first, second = env.registry.ids("models")[:2]
        for model in (first, second):
            env.registry.add_version(model)
        env.plane.faults = [forbid("model_id", {first})]
        env.plane.versions_listing = "model"
        summary = env.sync()

        assert (summary.complete, summary.tallies[Entity.MODEL_VERSIONS].inserted) == (
            False,
            1 + 1,
        )  # one of them from its model
        env.plane.faults = []
        assert env.sync().tallies[Entity.MODEL_VERSIONS].inserted == 0
        assert env.held() == env.served()

    @pytest.mark.parametrize("listing", ["tenant", "ml_repo", "model"])
    def test_of_all_models_reduce_the_coverage_to_latest_versions(self, env: SyncEnv, listing: str) -> None:
        env.plane.versions_listing = listing
        env.plane.faults = [fault("forbid:model-versions")]
        summary = env.sync()

        assert (summary.exit_code, summary.coverage) == (0, "latest")
        assert (len(env.rows(Model)), len(env.rows(ModelVersion))) == (12, 12)


def forbid(parameter: str, values: set[str]) -> Fault:
    """Answer 403 if the list of versions is filtered by one of these values."""

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        return FORBIDDEN if values & set(context.request.query.get(parameter, ())) else proceed()

    return Fault(apply, endpoint="model-versions")


class TestDeletedModel:
    def test_is_restored_with_its_versions_if_it_is_listed_again_after_many_runs(self, env: SyncEnv) -> None:
        env.sync()
        deleted, other = env.registry.ids("models")[:2]
        first_seen = env.row(Model, Model.id == deleted)["first_seen_at"]
        env.registry.delete_model(deleted)
        env.sync()
        for _ in range(5):
            env.registry.add_version(other)
            env.sync(full=True)
        env.registry.restore(deleted)
        summary = env.sync()

        assert summary.tallies[Entity.MODELS].restored == 1
        assert summary.tallies[Entity.MODEL_VERSIONS].restored == 2
        assert env.row(Model, Model.id == deleted)["first_seen_at"] == first_seen
        assert env.held() == env.served()

    def test_is_replaced_by_another_model_with_the_same_id(self, env: SyncEnv) -> None:
        env.sync()
        used = env.registry.ids("models")[0]
        old_versions = {row["id"] for row in env.rows(ModelVersion, ModelVersion.model_id == used)}
        env.registry.delete_model(used)
        env.sync()
        new = env.registry.get("models", env.registry.add_model("3"))
        env.registry.delete_model(new["id"])
        env.registry.put_raw("models", used, new | {"id": used, "latest_version": None})
        env.sync()

        row = env.row(Model, Model.id == used)
        assert (row["name"], row["ml_repo_id"], row["deleted_at"]) == (new["name"], "3", None)
        live = env.rows(ModelVersion, ModelVersion.model_id == used, ModelVersion.deleted_at.is_(None))
        assert not live
        assert len(env.rows(ModelVersion, ModelVersion.id.in_(old_versions))) == 2
        assert {"deleted", "restored"} <= {row["kind"] for row in env.rows(Change, Change.entity_id == used)}
        assert env.held() == env.served()


def test_empty_registry_deletes_nothing_unless_a_mass_delete_is_allowed(env: SyncEnv) -> None:
    env.sync()
    for repo in env.registry.ids("ml-repos"):
        env.registry.delete_ml_repo(repo)
    before = env.registry_dump()

    with pytest.raises(DeleteLimitExceeded, match="6 of 6 ML repos are missing"):
        env.sync()

    assert env.registry_dump() == before
    assert env.sync(allow_mass_delete=True).tallies[Entity.MODELS].deleted == 12
    assert env.held() == env.served()


@pytest.mark.parametrize("model_id", ["a\0b", "a\u241bb"])
def test_next_run_deletes_version_kept_by_no_delete_if_its_model_has_an_unusual_id(model_id: str, env: SyncEnv) -> None:
    model, version = (env.registry.records(entity)[0] for entity in ("models", "model-versions"))
    env.registry.put_raw("models", "odd", model | {"id": model_id, "latest_version": None})
    for version_id in ("kept", "dropped"):
        env.registry.put_raw("model-versions", version_id, version | {"id": version_id, "model_id": model_id})
    env.sync()
    env.registry.delete_version("dropped")
    kept = env.sync(full=True, no_delete=True).tallies[Entity.MODEL_VERSIONS].deleted
    then = env.sync().tallies[Entity.MODEL_VERSIONS].deleted

    assert (kept, then) == (0, 1)
    assert env.held() == env.served()
