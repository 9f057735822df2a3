from collections.abc import Callable

import pytest

from etl.enums import Entity
from etl.errors import RequestRefused
from etl.models import MlRepo, Model, ModelVersion, SyncRun, SyncScope, VersionReadState
from etl.simulator import Fault, Registry, fault
from etl.simulator.faults import FaultContext
from etl.simulator.http_types import Proceed, Response, refusal
from etl.store import Tally
from etl.sync import NEVER
from tests.support.faults import at_request
from tests.support.sync_env import SyncEnv, sync_env


@pytest.mark.parametrize("listing", ["tenant", "ml_repo", "model"])
def test_all_versions_are_read_with_each_filter_that_a_server_may_require(migrated_url: str, listing: str) -> None:
    with sync_env(migrated_url, versions_listing=listing) as env:
        summary = env.sync()

        assert (summary.exit_code, summary.tallies[Entity.MODEL_VERSIONS]) == (0, Tally(seen=36, inserted=36))
        assert env.held() == env.served()
        assert env.sync().plan.way == "none"


def test_only_changed_models_are_read_if_versions_are_listed_only_by_model(migrated_url: str) -> None:
    with sync_env(migrated_url, versions_listing="model") as env:
        env.sync()
        for version in env.registry.ids("model-versions")[:12]:
            env.registry.touch(version)
        requests_before = len(env.plane.log)
        summary = env.sync(page_size=40)

        assert summary.plan.way == "sweep"
        assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=12, updated=12)
        assert len({entry.query.get("model_id") for entry in env.plane.log[requests_before:]} - {None}) == 4


def test_versions_are_read_by_model_if_their_ml_repo_is_not_listed(migrated_url: str) -> None:
    with sync_env(migrated_url, versions_listing="ml_repo") as env:
        env.sync()
        env.registry.put_raw("ml-repos", "3", {"manifest": {"name": "its id is hidden"}})
        summary = env.sync(full=True)

        assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, unchanged=36)
        assert summary.tallies[Entity.MODELS] == Tally(seen=12, unchanged=12)


def test_refusal_that_is_unrelated_to_filters_fails_the_run(env: SyncEnv) -> None:
    env.plane.faults = [fault("flaky_500:409,endpoint=model-versions")]
    with pytest.raises(RequestRefused, match="409"):
        env.sync()


def test_a_refusal_for_one_model_fails_the_run(env: SyncEnv) -> None:
    env.sync()
    env.registry.add_version(env.registry.ids("models")[0])
    env.plane.faults = [fault("flaky_500:409,endpoint=model-versions")]
    with pytest.raises(RequestRefused, match="409"):
        env.sync()


def test_model_whose_versions_are_not_found_gives_a_warning_and_is_read_again(env: SyncEnv) -> None:
    env.sync()
    changed = env.registry.ids("models")[0]
    version = env.registry.add_version(changed)
    env.plane.faults = [without_versions_of(changed)]
    summary = env.sync()
    env.plane.faults = []
    stored = env.rows(ModelVersion, ModelVersion.id == version)
    again = env.sync()

    (warning,) = summary.warnings
    assert warning == (
        f"The list of model-versions with model_id={changed} cannot be read (404): "
        "the next run tries again, nothing is deleted."
    )
    assert not summary.complete
    assert len(stored) == 1  # its model embeds it
    assert again.tallies[Entity.MODEL_VERSIONS] == Tally(seen=4, unchanged=4)


def without_versions_of(*model_ids: str) -> Fault:
    """Answer 404 for the versions of these models."""

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        requested = set(context.request.query.get("model_id", ()))
        return refusal(404, "Not found.") if requested & {*model_ids} else proceed()

    return Fault(apply, endpoint="model-versions")


def test_ml_repos_read_before_their_list_is_refused_are_stored(env: SyncEnv) -> None:
    def apply(context: FaultContext, proceed: Proceed) -> Response:
        return proceed() if context.request.query["offset"] == ["0"] else refusal(403, "Not allowed.")

    env.plane.faults = [Fault(apply, endpoint="ml-repos")]
    summary = env.sync(page_size=2)

    assert {row["id"]: row["is_derived"] for row in env.rows(MlRepo)} == {"1": False, "2": False, "3": True}
    assert (summary.exit_code, summary.warnings) == (
        3,
        ["The list of ml-repos cannot be read (403): the next run tries again, nothing is deleted."],
    )


def test_many_refused_models_cause_few_probes(migrated_url: str) -> None:
    registry = Registry.generate(seed=7, ml_repos=3, models=60, versions=1, metrics=0, empty_share=0)
    readable = {each["id"] for each in registry.records("models") if each["ml_repo_id"] == "3"}

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        query = context.request.query
        allowed = query.get("ml_repo_id") == ["3"] or readable & set(query.get("model_id", ()))
        return proceed() if allowed else refusal(403, "Not allowed.")

    with sync_env(migrated_url, registry) as env:
        env.plane.faults = [Fault(apply, endpoint="model-versions")]
        env.sync(page_size=2)
        env.plane.log.clear()
        summary = env.sync(page_size=2, full_every=NEVER)
        queries = [each.query for each in env.plane.log if "model-versions" in each.path]

    assert summary.plan.way == "by model"
    assert sum("model_id" in query for query in queries) > 30
    assert sum(query["limit"] == "1" for query in queries) <= 12


def test_latest_version_missing_from_the_sweep_is_read_by_model(env: SyncEnv) -> None:
    hidden: list[str] = []

    def hide_or_restore(_number: int, path: str, query: dict[str, list[str]]) -> None:
        if path.endswith("/model-versions") and "model_id" not in query:
            for version in hidden:
                env.registry.delete_version(version, touch=False)
        elif path.endswith("/model-versions"):
            for version in hidden:
                env.registry.restore(version)

    hidden.append(env.registry.add_version(env.registry.ids("models")[0]))
    env.plane.before_request = once_for_each_list(hide_or_restore)
    summary = env.sync()

    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=37, inserted=37)
    assert env.held() == env.served()


def test_missing_version_is_deleted_even_if_the_latest_one_is_deleted_during_the_run(
    env: SyncEnv,
) -> None:
    env.sync()
    model = env.registry.ids("models")[0]
    first, second, latest = (each["id"] for each in env.registry.records("model-versions") if each["model_id"] == model)
    env.registry.delete_version(first)
    at_request(env, "/model-versions", 1, lambda: env.registry.delete_version(latest))
    summary = env.sync(full=True)

    assert (summary.complete, summary.tallies[Entity.MODEL_VERSIONS].deleted) == (True, 2)
    assert {row["id"] for row in env.rows(ModelVersion, ModelVersion.deleted_at.is_not(None))} == {first, latest}
    assert second in env.held()["model_versions"]


def test_a_list_without_a_total_is_proven_by_two_sweeps_that_agree(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[0])
    env.plane.total = False
    summary = env.sync()

    assert (summary.status, summary.proof, summary.tallies[Entity.MODELS].deleted) == ("succeeded", "confirmed", 1)
    assert {row["proof"] for row in env.rows(SyncRun)} == {"anchored", "confirmed"}


def test_list_that_changes_in_each_sweep_is_stored_and_deletes_nothing(env: SyncEnv) -> None:
    env.sync()
    deleted = env.registry.ids("models")[0]
    env.registry.delete_model(deleted)
    scope = env.rows(SyncScope)
    env.plane.before_request = add_model_at_each_request(env)
    summary = env.sync(page_size=5)

    assert (summary.status, summary.complete, summary.proof, summary.exit_code) == ("partial", False, None, 3)
    (warning,) = summary.warnings
    assert warning == (
        "The list of models could not be proven complete in 3 sweeps: it changes during the read, or the responses are "
        "inconsistent. What was read is stored, and nothing is deleted."
    )
    assert summary.tallies[Entity.MODELS].inserted >= 6
    assert summary.tallies[Entity.MODELS].deleted == 0
    assert env.row(Model, Model.id == deleted)["deleted_at"] is None
    assert [(run["status"], run["complete"]) for run in env.rows(SyncRun, SyncRun.id == summary.run_id)] == [
        ("partial", False)
    ]
    assert env.rows(SyncScope) == scope


def test_next_run_completes_the_copy_of_a_partial_run(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[0])
    env.plane.before_request = add_model_at_each_request(env)
    env.sync(page_size=5)
    env.plane.before_request = None
    summary = env.sync()

    assert (summary.status, summary.tallies[Entity.MODELS].deleted) == ("succeeded", 1)
    assert env.held() == env.served()


def test_unproven_versions_of_a_model_are_read_again(env: SyncEnv) -> None:
    env.sync()
    changed = env.registry.ids("models")[0]
    env.registry.add_version(changed)
    env.plane.faults = [fault("wrong_total,endpoint=model-versions")]
    summary = env.sync(max_sweeps=1)
    env.plane.faults = []
    again = env.sync()

    assert (summary.exit_code, summary.tallies[Entity.MODEL_VERSIONS].inserted) == (3, 1)
    assert f"The list of model-versions with model_id={changed} could not be proven" in summary.warnings[0]
    assert again.tallies[Entity.MODEL_VERSIONS] == Tally(seen=4, unchanged=4)
    assert env.sync().plan.way == "none"


def test_versions_of_an_unproven_sweep_are_read_again(env: SyncEnv) -> None:
    env.plane.faults = [fault("wrong_total,endpoint=model-versions")]
    summary = env.sync(max_sweeps=1)
    env.plane.faults = []

    assert (summary.exit_code, summary.tallies[Entity.MODEL_VERSIONS].inserted) == (3, 36)
    assert env.rows(VersionReadState) == []
    assert env.sync().tallies[Entity.MODEL_VERSIONS] == Tally(seen=36, unchanged=36)


def test_latest_versions_are_read_from_the_models_if_only_they_are_requested(env: SyncEnv) -> None:
    summary = env.sync(versions="latest")
    latest = {model["latest_version"]["id"] for model in env.registry.records("models")}

    assert (summary.plan.way, summary.mode) == ("embedded", "incremental")
    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=12, inserted=12)
    assert {row["id"] for row in env.rows(ModelVersion)} == latest
    assert [entry.path for entry in env.plane.log if entry.path.endswith("model-versions")] == []


def test_older_versions_are_kept_if_only_the_latest_are_requested(env: SyncEnv) -> None:
    env.sync()
    env.registry.add_version(env.registry.ids("models")[0])
    summary = env.sync(versions="latest")

    # The latest version of an unchanged model is not staged if all versions of the model were read.
    assert summary.tallies[Entity.MODEL_VERSIONS] == Tally(seen=1, inserted=1)
    assert len(env.rows(ModelVersion, ModelVersion.deleted_at.is_(None))) == 37


def test_empty_model_has_no_latest_version(env: SyncEnv) -> None:
    empty = env.registry.add_model("1")
    env.registry.put_raw("models", "odd", "no object")
    env.sync(versions="latest")

    assert env.row(Model, Model.id == empty)["latest_version_id"] is None


def add_model_at_each_request(env: SyncEnv) -> Callable[[int, str, dict[str, list[str]]], None]:
    def work(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        if path.endswith("/models"):
            env.registry.add_model("1")

    return work


def once_for_each_list(
    work: Callable[[int, str, dict[str, list[str]]], None],
) -> Callable[[int, str, dict[str, list[str]]], None]:
    """Return a hook that does the work only at the first request of each list."""
    done: set[tuple[str, ...]] = set()

    def first(number: int, path: str, query: dict[str, list[str]]) -> None:
        kind = (path, *sorted(query.keys() - {"offset", "limit"}))
        if kind not in done:
            done.add(kind)
            work(number, path, query)

    return first


def hide_from_list_of_all(env: SyncEnv, hidden: set[str]) -> Callable[[int, str, dict[str, list[str]]], None]:
    """Hide versions from the list of all versions, but not from the lists by model."""

    def work(_number: int, path: str, query: dict[str, list[str]]) -> None:
        lists_all = path.endswith("/model-versions") and "model_id" not in query
        served = hidden & set(env.registry.ids("model-versions"))
        for version in served if lists_all else ():
            env.registry.delete_version(version, touch=False)
        for version in () if lists_all else hidden - served:
            env.registry.restore(version)

    return work


def test_versions_that_only_the_lists_by_model_return_are_not_deleted(env: SyncEnv) -> None:
    env.sync()
    model = env.registry.records("models")[0]
    hidden = {each["id"] for each in env.registry.records("model-versions") if each["model_id"] == model["id"]}
    env.plane.before_request = hide_from_list_of_all(env, hidden)
    summary = env.sync(full=True)
    env.plane.before_request = None

    assert summary.tallies[Entity.MODEL_VERSIONS].deleted == 0
    assert env.held() == env.served()


def test_warnings_after_the_twentieth_are_only_logged(env: SyncEnv) -> None:
    models = [env.registry.add_model("1") for _ in range(40)]
    env.plane.versions_listing = "model"
    env.plane.faults = [without_versions_of(*(each for place, each in enumerate(sorted(models)) if place % 3))]
    summary = env.sync()

    assert (summary.status, summary.complete, summary.exit_code) == ("partial", False, 3)
    assert len(summary.warnings) == 21
    assert summary.warnings[-1] == "There were more warnings: the log has them all."
