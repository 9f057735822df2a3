from collections.abc import Callable

import pytest

from etl.errors import RequestRefused
from etl.models import Model, ModelVersion, SyncRun, SyncScope, VersionReadState
from etl.simulator import Fault, fault
from etl.simulator.faults import FaultContext
from etl.simulator.http_types import Answer, Proceed, refusal
from etl.store import Tally
from tests.support.sync_env import SyncEnv, sync_env


@pytest.mark.parametrize("listing", ["tenant", "ml_repo", "model"])
def test_all_versions_are_read_however_the_server_lets_them_be_listed(migrated_url: str, listing: str) -> None:
    with sync_env(migrated_url, versions_listing=listing) as mirror:
        summary = mirror.sync()

        assert (summary.exit_code, summary.tallies["model_versions"]) == (0, Tally(seen=36, inserted=36))
        assert mirror.held() == mirror.served()
        assert mirror.sync().plan.way == "none"


def test_only_changed_models_are_read_where_versions_are_listed_by_model_alone(migrated_url: str) -> None:
    with sync_env(migrated_url, versions_listing="model") as mirror:
        mirror.sync()
        for version in mirror.registry.ids("model-versions")[:12]:
            mirror.registry.touch(version)
        asked = len(mirror.plane.log)
        summary = mirror.sync(page_size=40)

        assert summary.plan.way == "sweep"
        assert summary.tallies["model_versions"] == Tally(seen=12, updated=12)
        assert len({entry.query.get("model_id") for entry in mirror.plane.log[asked:]} - {None}) == 4


def test_versions_are_read_by_model_where_their_ml_repo_is_not_listed(migrated_url: str) -> None:
    with sync_env(migrated_url, versions_listing="ml_repo") as mirror:
        mirror.sync()
        mirror.registry.put_raw("ml-repos", "3", {"manifest": {"name": "its id is hidden"}})
        summary = mirror.sync(full=True)

        assert summary.tallies["model_versions"] == Tally(seen=36, unchanged=36)
        assert summary.tallies["models"] == Tally(seen=12, unchanged=12)


def test_a_refusal_that_says_nothing_of_the_listing_fails_the_run(mirror: SyncEnv) -> None:
    mirror.plane.faults = [fault("flaky_500:409,endpoint=model-versions")]
    with pytest.raises(RequestRefused, match="409"):
        mirror.sync()


def test_a_refusal_for_one_model_fails_the_run(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.add_version(mirror.registry.ids("models")[0])
    mirror.plane.faults = [fault("flaky_500:409,endpoint=model-versions")]
    with pytest.raises(RequestRefused, match="409"):
        mirror.sync()


def test_a_model_whose_versions_are_not_found_is_a_warning_and_read_again(mirror: SyncEnv) -> None:
    mirror.sync()
    changed = mirror.registry.ids("models")[0]
    version = mirror.registry.add_version(changed)
    mirror.plane.faults = [without_versions_of(changed)]
    summary = mirror.sync()
    mirror.plane.faults = []
    stored = mirror.rows(ModelVersion, ModelVersion.id == version)
    again = mirror.sync()

    (warning,) = summary.warnings
    assert warning == (
        f"The list of model-versions with model_id={changed} cannot be read (404): "
        "the next run tries again, nothing is deleted."
    )
    assert not summary.complete
    assert len(stored) == 1  # it came with its model
    assert again.tallies["model_versions"] == Tally(seen=4, unchanged=4)


def without_versions_of(*model_ids: str) -> Fault:
    """404 for the versions of these models."""

    def apply(context: FaultContext, proceed: Proceed) -> Answer:
        asked = set(context.request.query.get("model_id", ()))
        return refusal(404, "Not found.") if asked & {*model_ids} else proceed()

    return Fault(apply, endpoint="model-versions")


def test_a_latest_version_that_the_sweep_left_out_is_read_by_model(mirror: SyncEnv) -> None:
    fresh: list[str] = []

    def work(_number: int, path: str, query: dict[str, list[str]]) -> None:
        if path.endswith("/model-versions") and "model_id" not in query:
            for version in fresh:
                mirror.registry.delete_version(version, touch=False)
        elif path.endswith("/model-versions"):
            for version in fresh:
                mirror.registry.restore(version)

    fresh.append(mirror.registry.add_version(mirror.registry.ids("models")[0]))
    mirror.plane.before_request = once_each(work)
    summary = mirror.sync()

    assert summary.tallies["model_versions"] == Tally(seen=37, inserted=37)
    assert mirror.held() == mirror.served()


def test_a_list_without_a_total_is_proven_by_two_sweeps_that_agree(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.delete_model(mirror.registry.ids("models")[0])
    mirror.plane.total = False
    summary = mirror.sync()

    assert (summary.status, summary.proof, summary.tallies["models"].deleted) == ("succeeded", "confirmed", 1)
    assert {row["proof"] for row in mirror.rows(SyncRun)} == {"anchored", "confirmed"}


def test_a_list_that_never_stands_still_is_stored_as_seen_and_deletes_nothing(mirror: SyncEnv) -> None:
    mirror.sync()
    gone = mirror.registry.ids("models")[0]
    mirror.registry.delete_model(gone)
    scope = mirror.rows(SyncScope)
    mirror.plane.before_request = adds_a_model_at_each_request(mirror)
    summary = mirror.sync(page_size=5)

    assert (summary.status, summary.complete, summary.proof, summary.exit_code) == ("partial", False, None, 3)
    (warning,) = summary.warnings
    assert warning == (
        "The list of models could not be proven complete in 3 sweeps: it moves, or the server answers unsteadily. "
        "What was read is stored, and nothing is deleted."
    )
    assert summary.tallies["models"].inserted >= 6
    assert summary.tallies["models"].deleted == 0
    assert mirror.row(Model, Model.id == gone)["deleted_at"] is None
    assert [(run["status"], run["complete"]) for run in mirror.rows(SyncRun, SyncRun.id == summary.run_id)] == [
        ("partial", False)
    ]
    assert mirror.rows(SyncScope) == scope


def test_what_a_partial_run_left_is_mended_by_the_next(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.delete_model(mirror.registry.ids("models")[0])
    mirror.plane.before_request = adds_a_model_at_each_request(mirror)
    mirror.sync(page_size=5)
    mirror.plane.before_request = None
    summary = mirror.sync()

    assert (summary.status, summary.tallies["models"].deleted) == ("succeeded", 1)
    assert mirror.held() == mirror.served()


def test_the_versions_of_a_model_that_were_not_proven_are_read_again(mirror: SyncEnv) -> None:
    mirror.sync()
    changed = mirror.registry.ids("models")[0]
    mirror.registry.add_version(changed)
    mirror.plane.faults = [fault("wrong_total,endpoint=model-versions")]
    summary = mirror.sync(max_sweeps=1)
    mirror.plane.faults = []
    again = mirror.sync()

    assert (summary.exit_code, summary.tallies["model_versions"].inserted) == (3, 1)
    assert f"The list of model-versions with model_id={changed} could not be proven" in summary.warnings[0]
    assert again.tallies["model_versions"] == Tally(seen=4, unchanged=4)
    assert mirror.sync().plan.way == "none"


def test_the_versions_of_a_sweep_that_was_not_proven_are_read_again(mirror: SyncEnv) -> None:
    mirror.plane.faults = [fault("wrong_total,endpoint=model-versions")]
    summary = mirror.sync(max_sweeps=1)
    mirror.plane.faults = []

    assert (summary.exit_code, summary.tallies["model_versions"].inserted) == (3, 36)
    assert mirror.rows(VersionReadState) == []
    assert mirror.sync().tallies["model_versions"] == Tally(seen=36, unchanged=36)


def test_the_latest_versions_come_with_the_models_when_only_they_are_wanted(mirror: SyncEnv) -> None:
    summary = mirror.sync(versions="latest")
    latest = {model["latest_version"]["id"] for model in mirror.registry.records("models")}

    assert (summary.plan.way, summary.mode) == ("embedded", "incremental")
    assert summary.tallies["model_versions"] == Tally(seen=12, inserted=12)
    assert {row["id"] for row in mirror.rows(ModelVersion)} == latest
    assert [entry.path for entry in mirror.plane.log if entry.path.endswith("model-versions")] == []


def test_older_versions_stay_when_only_the_latest_are_wanted(mirror: SyncEnv) -> None:
    mirror.sync()
    mirror.registry.add_version(mirror.registry.ids("models")[0])
    summary = mirror.sync(versions="latest")

    # A model that is as it was when all of its versions were read has nothing to tell.
    assert summary.tallies["model_versions"] == Tally(seen=1, inserted=1)
    assert len(mirror.rows(ModelVersion, ModelVersion.deleted_at.is_(None))) == 37


def test_an_empty_model_has_no_latest_version_to_keep(mirror: SyncEnv) -> None:
    empty = mirror.registry.add_model("1")
    mirror.registry.put_raw("models", "odd", "no object")
    mirror.sync(versions="latest")

    assert mirror.row(Model, Model.id == empty)["latest_version_id"] is None


def adds_a_model_at_each_request(mirror: SyncEnv) -> Callable[[int, str, dict[str, list[str]]], None]:
    def work(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        if path.endswith("/models"):
            mirror.registry.add_model("1")

    return work


def once_each(
    work: Callable[[int, str, dict[str, list[str]]], None],
) -> Callable[[int, str, dict[str, list[str]]], None]:
    """The work at the first request of each list alone."""
    done: set[tuple[str, ...]] = set()

    def first(number: int, path: str, query: dict[str, list[str]]) -> None:
        kind = (path, *sorted(query.keys() - {"offset", "limit"}))
        if kind not in done:
            done.add(kind)
            work(number, path, query)

    return first


def hides_versions_of(mirror: SyncEnv, hidden: set[str]) -> Callable[[int, str, dict[str, list[str]]], None]:
    """A list of all versions that leaves some out, which the lists by model have."""

    def work(_number: int, path: str, query: dict[str, list[str]]) -> None:
        left_out = path.endswith("/model-versions") and "model_id" not in query
        served = hidden & set(mirror.registry.ids("model-versions"))
        for version in served if left_out else ():
            mirror.registry.delete_version(version, touch=False)
        for version in () if left_out else hidden - served:
            mirror.registry.restore(version)

    return work


def test_versions_that_a_later_sweep_leaves_out_are_not_deleted(mirror: SyncEnv) -> None:
    mirror.sync()
    model = mirror.registry.records("models")[0]
    hidden = {each["id"] for each in mirror.registry.records("model-versions") if each["model_id"] == model["id"]}
    mirror.plane.before_request = hides_versions_of(mirror, hidden)
    summary = mirror.sync(full=True)
    mirror.plane.before_request = None

    assert summary.tallies["model_versions"].deleted == 0
    assert mirror.held() == mirror.served()


def test_more_than_twenty_warnings_are_left_to_the_log(mirror: SyncEnv) -> None:
    models = [mirror.registry.add_model("1") for _ in range(40)]
    mirror.plane.versions_listing = "model"
    mirror.plane.faults = [without_versions_of(*(each for place, each in enumerate(sorted(models)) if place % 3))]
    summary = mirror.sync()

    assert (summary.status, summary.complete, summary.exit_code) == ("partial", False, 3)
    assert len(summary.warnings) == 21
    assert summary.warnings[-1] == "There were more warnings: the log has them all."
