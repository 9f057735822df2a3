"""Copies of a control plane that offers a token only the list of models, at first or later."""

from typing import Any

import pytest

from etl.enums import Entity
from etl.errors import SourceUnavailable, TokenRefused
from etl.models import Change, MlRepo, Model, ModelVersion, ModelVersionTag, SyncRun, SyncScope, VersionReadState
from etl.simulator import ENTITIES, fault
from etl.store import Tally
from tests.support.sync_env import SyncEnv

EVERY_LIST = frozenset(ENTITIES)
MODELS_ONLY = frozenset({"models"})


@pytest.fixture
def latest_only(env: SyncEnv) -> SyncEnv:
    """A control plane that offers only the list of models."""
    env.plane.offers = MODELS_ONLY
    return env


def embedded(env: SyncEnv) -> dict[str, Any]:
    """Return the latest version that each model embeds, by id."""
    latest = (model["latest_version"] for model in env.registry.records("models"))
    return {version["id"]: version for version in latest if version}


def versions(env: SyncEnv) -> dict[str, Any]:
    return {row["id"]: row for row in env.rows(ModelVersion)}


class TestOnlyModelsAreListed:
    def test_each_model_and_its_latest_version_are_stored_whole(self, latest_only: SyncEnv) -> None:
        summary = latest_only.sync()
        stored, served = latest_only.held(), latest_only.served()

        assert (summary.exit_code, summary.complete, summary.coverage) == (0, True, "latest")
        assert stored["models"] == served["models"]
        assert stored["model_versions"].keys() == embedded(latest_only).keys()
        assert stored["model_versions"].items() <= served["model_versions"].items()

    def test_ml_repos_are_derived_from_their_models(self, latest_only: SyncEnv) -> None:
        latest_only.sync()
        names = {each["id"]: each["manifest"]["name"] for each in latest_only.registry.records("ml-repos")}

        assert {
            row["id"]: (row["name"], row["tenant_name"], row["is_derived"]) for row in latest_only.rows(MlRepo)
        } == {repo: (name, "acme", True) for repo, name in names.items()}

    def test_the_first_run_warns_in_one_line_and_later_ones_do_not(self, latest_only: SyncEnv) -> None:
        first, second = latest_only.sync(), latest_only.sync()

        (warning,) = first.warnings
        assert warning == (
            "The list of ML repos is not offered here (404); the list of model versions is not offered here (404). "
            "Only the latest version of each model is copied, and ML repos are derived from their models."
        )
        assert second.warnings == []

    def test_a_second_run_writes_nothing(self, latest_only: SyncEnv) -> None:
        latest_only.sync()
        before = latest_only.registry_dump()
        summary = latest_only.sync()

        assert latest_only.registry_dump() == before
        assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=12, unchanged=12)

    def test_run_and_scope_record_the_coverage(self, latest_only: SyncEnv) -> None:
        latest_only.sync()

        assert (latest_only.row(SyncRun)["coverage"], latest_only.row(SyncRun)["mode"]) == ("latest", "incremental")
        scope = latest_only.row(SyncScope)
        assert (scope["coverage"], scope["lists_ml_repos"], scope["last_full_at"]) == ("latest", False, None)

    def test_ml_repo_is_selected_by_its_id(self, latest_only: SyncEnv) -> None:
        summary = latest_only.sync(ml_repo=("2",))

        assert (summary.exit_code, summary.tallies[Entity.MODELS].inserted) == (0, 4)
        assert [row["id"] for row in latest_only.rows(MlRepo)] == ["2"]

    def test_ml_repo_without_models_gives_a_warning(self, latest_only: SyncEnv) -> None:
        summary = latest_only.sync(ml_repo=("404",))

        assert summary.exit_code == 0
        assert summary.warnings[0] == "ML repo '404' has no models, or does not exist."

    def test_missing_model_is_marked_as_deleted_with_its_versions(self, latest_only: SyncEnv) -> None:
        latest_only.sync()
        deleted = latest_only.registry.ids("models")[0]
        latest_only.registry.delete_model(deleted)
        summary = latest_only.sync()

        assert summary.tallies[Entity.MODELS].deleted == summary.tallies[Entity.MODEL_VERSIONS].deleted == 1
        assert [row["id"] for row in latest_only.rows(Model, Model.deleted_at.is_not(None))] == [deleted]

    def test_derived_ml_repo_is_kept_when_its_last_model_is_deleted(self, latest_only: SyncEnv) -> None:
        latest_only.sync()
        for model in latest_only.registry.records("models"):
            if model["ml_repo_id"] == "3":
                latest_only.registry.delete_model(model["id"])
        latest_only.sync(allow_mass_delete=True)
        latest_only.plane.offers = EVERY_LIST
        latest_only.registry.delete_ml_repo("3")
        latest_only.sync(allow_mass_delete=True)

        assert [row["deleted_at"] for row in latest_only.rows(MlRepo)] == [None, None, None]


class TestVersionThatIsNoLongerTheLatest:
    def test_is_superseded_and_otherwise_unchanged(self, latest_only: SyncEnv) -> None:
        model = latest_only.registry.ids("models")[0]
        old = latest_only.registry.add_version(model)
        latest_only.registry.set_tags(old, ["prod"])
        latest_only.sync()
        new = latest_only.registry.add_version(model)
        latest_only.sync()
        rows, run = versions(latest_only), latest_only.rows(SyncRun)

        started = max(row["started_at"] for row in run)
        assert (rows[old]["superseded_at"], rows[old]["deleted_at"], rows[old]["last_changed_at"]) == (
            started,
            None,
            started,
        )
        assert rows[new]["superseded_at"] is None
        assert [row["tag"] for row in latest_only.rows(ModelVersionTag, ModelVersionTag.model_version_id == old)] == [
            "prod"
        ]

    def test_is_current_once_it_is_the_latest_again(self, latest_only: SyncEnv) -> None:
        model = latest_only.registry.ids("models")[0]
        latest_only.sync()
        (old,) = [row["id"] for row in latest_only.rows(ModelVersion, ModelVersion.model_id == model)]
        new = latest_only.registry.add_version(model)
        latest_only.sync()
        latest_only.registry.delete_version(new)
        latest_only.sync()
        rows = versions(latest_only)

        assert rows[old]["superseded_at"] is None
        assert (rows[new]["superseded_at"] is not None, rows[new]["deleted_at"]) == (True, None)

    def test_is_superseded_when_its_model_has_no_version_left(self, latest_only: SyncEnv) -> None:
        model = latest_only.registry.add_model("1")
        version = latest_only.registry.add_version(model)
        latest_only.sync()
        latest_only.registry.delete_version(version)
        latest_only.sync()

        assert versions(latest_only)[version]["superseded_at"] is not None

    def test_is_superseded_by_a_partial_run_too(self, latest_only: SyncEnv) -> None:
        model = latest_only.registry.ids("models")[0]
        latest_only.sync()
        (old,) = [row["id"] for row in latest_only.rows(ModelVersion, ModelVersion.model_id == model)]
        latest_only.registry.add_version(model)
        latest_only.registry.put_raw("models", "odd", {"name": "without an id"})
        partial = latest_only.sync()
        latest_only.registry.delete_model("odd")
        latest_only.sync()

        assert partial.exit_code == 3
        assert versions(latest_only)[old]["superseded_at"] is not None

    def test_is_superseded_by_a_run_that_lost_the_list_of_ml_repos(self, env: SyncEnv) -> None:
        model = env.registry.ids("models")[0]
        env.plane.offers = frozenset({"models", "ml-repos"})
        env.sync()
        (old,) = [row["id"] for row in env.rows(ModelVersion, ModelVersion.model_id == model)]
        env.registry.add_version(model)
        env.plane.offers = MODELS_ONLY
        partial = env.sync()
        env.plane.offers = frozenset({"models", "ml-repos"})
        complete = env.sync()

        assert (partial.exit_code, complete.exit_code) == (3, 0)
        assert versions(env)[old]["superseded_at"] is not None

    def test_is_superseded_if_only_latest_versions_are_requested(self, env: SyncEnv) -> None:
        model = env.registry.ids("models")[0]
        env.sync(versions="latest")
        (old,) = [row["id"] for row in env.rows(ModelVersion, ModelVersion.model_id == model)]
        env.registry.add_version(model)
        env.sync(versions="latest")
        superseded = versions(env)[old]["superseded_at"]
        env.sync()

        assert superseded is not None
        assert versions(env)[old]["superseded_at"] is None
        assert env.held() == env.served()


class TestCoverageThatGrows:
    def test_is_used_by_the_next_run_which_corrects_all_rows(self, latest_only: SyncEnv) -> None:
        model = latest_only.registry.ids("models")[0]
        latest_only.sync()
        latest_only.registry.add_version(model)
        latest_only.sync()
        latest_only.plane.offers = EVERY_LIST
        summary = latest_only.sync(full_every=latest_only.settings().full_every * 1000)

        assert (summary.exit_code, summary.coverage, summary.mode) == (0, "all", "full")
        assert latest_only.held() == latest_only.served()
        assert {row["superseded_at"] for row in latest_only.rows(ModelVersion)} == {None}

    def test_a_listed_ml_repo_replaces_the_derived_one(self, latest_only: SyncEnv) -> None:
        latest_only.sync()
        latest_only.plane.offers = EVERY_LIST
        summary = latest_only.sync()

        assert summary.tallies[Entity.ML_REPOS] == Tally(seen=3, updated=3)
        assert {row["is_derived"] for row in latest_only.rows(MlRepo)} == {False}

    def test_version_deleted_in_between_is_deleted_and_not_superseded(self, latest_only: SyncEnv) -> None:
        model = latest_only.registry.ids("models")[0]
        latest_only.sync()
        (old,) = [row["id"] for row in latest_only.rows(ModelVersion, ModelVersion.model_id == model)]
        latest_only.registry.add_version(model)
        latest_only.sync()
        latest_only.registry.delete_version(old)
        latest_only.plane.offers = EVERY_LIST
        latest_only.sync()

        assert (versions(latest_only)[old]["deleted_at"] is not None, versions(latest_only)[old]["superseded_at"]) == (
            True,
            None,
        )


class TestCoverageThatShrinks:
    @pytest.mark.parametrize("endpoint", ["ml-repos", "model-versions"])
    def test_makes_the_run_partial_and_deletes_nothing(self, env: SyncEnv, endpoint: str) -> None:
        env.sync()
        scope = env.row(SyncScope)
        env.plane.offers = EVERY_LIST - {endpoint}
        env.registry.delete_model(env.registry.ids("models")[0])
        summary = env.sync()

        assert (summary.exit_code, summary.status, summary.complete) == (3, "partial", False)
        assert "--accept-coverage" in summary.warnings[0]
        assert env.rows(Model, Model.deleted_at.is_not(None)) == []
        assert env.row(SyncScope) == scope

    def test_still_stores_the_versions_that_models_embed(self, env: SyncEnv) -> None:
        env.sync()
        version = env.registry.add_version(env.registry.ids("models")[0])
        env.plane.forbids = frozenset({"model-versions"})
        summary = env.sync()

        assert (summary.exit_code, version in versions(env)) == (3, True)
        assert {row["superseded_at"] for row in env.rows(ModelVersion)} == {None}

    def test_is_accepted_once(self, env: SyncEnv) -> None:
        env.sync()
        env.plane.offers = MODELS_ONLY
        accepted = env.sync(accept_coverage=True)
        later = env.sync()

        assert (accepted.exit_code, later.exit_code, later.warnings) == (0, 0, [])
        assert {row["id"] for row in env.rows(ModelVersion, ModelVersion.superseded_at.is_(None))} == embedded(
            env
        ).keys()
        assert {row["is_derived"] for row in env.rows(MlRepo)} == {False}

    def test_and_grows_again_clears_superseded_at(self, env: SyncEnv) -> None:
        env.sync()
        env.plane.offers = MODELS_ONLY
        env.sync(accept_coverage=True)
        env.plane.offers = EVERY_LIST
        env.sync()

        assert {row["superseded_at"] for row in env.rows(ModelVersion)} == {None}
        assert env.held() == env.served()


class TestListThatFails:
    @pytest.mark.parametrize("status", ["500", "503"])
    @pytest.mark.parametrize("endpoint", ["ml-repos", "model-versions"])
    def test_fails_the_run_after_a_server_error(self, env: SyncEnv, endpoint: str, status: str) -> None:
        env.plane.faults = [fault(f"flaky_500:{status},endpoint={endpoint}")]
        with pytest.raises(SourceUnavailable):
            env.sync()

        assert env.rows(Model) == []

    def test_fails_the_run_if_the_token_expires(self, env: SyncEnv) -> None:
        env.plane.faults = [fault("expired_token_after:1,endpoint=model-versions")]
        with pytest.raises(TokenRefused, match="401"):
            env.sync(page_size=5)

    def test_fails_the_run_if_it_is_the_list_of_models(self, env: SyncEnv) -> None:
        env.plane.forbids = MODELS_ONLY
        with pytest.raises(TokenRefused, match="403"):
            env.sync()


class TestListThatDisappearsDuringARun:
    @pytest.mark.parametrize("answer", ["404", "501", "html", "403"])
    def test_makes_the_run_partial_with_every_latest_version(self, env: SyncEnv, answer: str) -> None:
        fault_name = "forbid:model-versions" if answer == "403" else f"not_offered:{answer},endpoint=model-versions"
        env.plane.faults = [fault(f"{fault_name},after=2")]
        summary = env.sync(page_size=10)
        env.plane.faults = []
        again = env.sync(page_size=10)

        assert (summary.exit_code, summary.complete) == (3, False)
        assert embedded(env).keys() <= versions(env).keys()
        assert again.exit_code == 0
        assert env.held() == env.served()

    def test_causes_no_request_for_each_model(self, env: SyncEnv) -> None:
        for _ in range(40):
            env.registry.add_version(env.registry.add_model("1"))
        env.plane.versions_listing = "model"
        env.plane.faults = [fault("not_offered:404,endpoint=model-versions,after=8")]
        env.sync(page_size=100)

        assert len(env.plane.log) < 40


def test_no_change_is_logged_for_a_version_that_is_superseded(latest_only: SyncEnv) -> None:
    model = latest_only.registry.ids("models")[0]
    latest_only.sync()
    (old,) = [row["id"] for row in latest_only.rows(ModelVersion, ModelVersion.model_id == model)]
    latest_only.registry.add_version(model)
    latest_only.sync()

    assert latest_only.rows(Change, Change.entity_id == old) == []


def test_model_of_which_only_the_latest_version_was_read_has_no_version_read_state(env: SyncEnv) -> None:
    env.sync()
    env.registry.add_version(env.registry.ids("models")[0])
    env.sync(versions="latest")

    assert len(env.rows(VersionReadState)) == 11
