"""The state of each ML repo, from which a run over any batch of ML repos is planned."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from etl.enums import Entity
from etl.errors import UnknownMlRepo
from etl.models import MlRepo, ModelVersion, SyncRun, SyncScope
from etl.sync import NEVER
from tests.support.sync_env import SyncEnv

LONG = timedelta(days=40_000)
"""A time between full comparisons after which none of ML repos 1 to 3 is due in these tests."""

MODELS_AND_REPOS = frozenset({"models", "ml-repos"})
EVERY_LIST = frozenset({"models", "ml-repos", "model-versions"})


def state(env: SyncEnv) -> dict[str | None, Any]:
    """The rows of scopes by ML repo."""
    return {row["ml_repo_id"]: row for row in env.rows(SyncScope)}


def set_state(env: SyncEnv, ml_repo: str, **values: Any) -> None:
    with env.connection() as connection:
        connection.execute(update(SyncScope).where(SyncScope.ml_repo_id == ml_repo).values(**values))


def test_other_batches_of_ml_repos_lose_no_state(env: SyncEnv) -> None:
    first = [env.sync(ml_repo=repos, full_every=LONG) for repos in (("1", "2"), ("3",))]
    again = [env.sync(ml_repo=repos, full_every=LONG) for repos in (("1",), ("2", "3"), ("1", "2", "3"))]

    assert [run.mode for run in first] == ["full", "full"]
    assert [(run.mode, run.plan.way) for run in again] == [("incremental", "none")] * 3
    assert [row["scope"] for row in env.rows(SyncScope)] == [f'{{"ml_repos":["{each}"]}}' for each in "123"]
    assert {row["last_complete_run_id"] for row in env.rows(SyncScope)} == {again[-1].run_id}


def test_batch_is_compared_in_full_if_one_of_its_ml_repos_never_was(env: SyncEnv) -> None:
    env.sync(ml_repo=("1",), full_every=LONG)
    both = env.sync(ml_repo=("1", "2"), full_every=LONG)

    assert both.plan.because == "no run has compared every version yet"
    assert env.sync(ml_repo=("2",), full_every=LONG).mode == "incremental"


def test_batch_is_compared_in_full_if_its_oldest_full_comparison_is_too_old_or_in_the_future(env: SyncEnv) -> None:
    env.sync(ml_repo=("1", "2"))
    now = datetime.now(UTC)
    set_state(env, "2", last_full_at=now - timedelta(days=2))
    assert env.sync(ml_repo=("1", "2")).plan.because == "the last full comparison is older than 1 day"
    set_state(env, "2", last_full_at=now + timedelta(days=2))
    assert "dated in the future" in env.sync(ml_repo=("1", "2")).plan.because
    assert {row["last_full_at"] for row in env.rows(SyncScope)} == {env.rows(SyncScope)[0]["last_complete_at"]}


def test_each_ml_repo_has_the_watermark_of_its_own_records(env: SyncEnv) -> None:
    env.sync(ml_repo=("1", "2", "3"))
    of_repo: dict[str | None, list[Any]] = {each: [] for each in "123"}
    for record in env.registry.records("models") + env.registry.records("model-versions"):
        of_repo[record["ml_repo_id"]].append(datetime.fromisoformat(record["updated_at"]))

    assert {key: row["watermark"] for key, row in state(env).items()} == {key: max(of_repo[key]) for key in of_repo}


def test_a_new_ml_repo_takes_over_the_full_comparison_of_the_whole_registry(env: SyncEnv) -> None:
    whole = env.sync()
    runs = [env.sync(ml_repo=("1",), full_every=LONG) for _ in range(2)]

    assert [run.mode for run in runs] == ["incremental"] * 2
    assert state(env)["1"]["last_full_at"] == state(env)[None]["last_full_at"]
    assert state(env)[None]["last_complete_run_id"] == whole.run_id


def test_complete_run_over_everything_updates_the_ml_repos_that_have_a_state(env: SyncEnv) -> None:
    env.sync()
    env.sync(ml_repo=("1", "2"))
    before = state(env)
    incremental = env.sync(full_every=NEVER)
    between = state(env)
    full = env.sync(full=True)
    after = state(env)

    assert between.keys() == after.keys() == {"1", "2", None}
    assert [between[key]["last_complete_run_id"] for key in "12"] == [incremental.run_id] * 2
    assert [after[key]["last_complete_run_id"] for key in "12"] == [full.run_id] * 2
    assert [between[key]["last_full_at"] for key in "12"] == [before[key]["last_full_at"] for key in "12"]
    assert [after[key]["last_full_at"] for key in "12"] == [after[None]["last_full_at"]] * 2
    assert between["1"]["watermark"] == before["1"]["watermark"] == after["1"]["watermark"]


def test_runs_over_ml_repos_are_no_full_comparison_of_the_whole_registry(env: SyncEnv) -> None:
    env.sync(ml_repo=("1", "2", "3"))

    assert env.sync().mode == "full"


def test_partial_run_changes_no_state(env: SyncEnv) -> None:
    env.sync(ml_repo=("1", "2"))
    before = state(env)
    env.plane.offers = MODELS_AND_REPOS
    assert env.sync(ml_repo=("1", "2")).complete is False

    assert state(env) == before


def test_batch_with_one_ml_repo_that_had_all_versions_does_not_lose_them_unnoticed(env: SyncEnv) -> None:
    env.sync(ml_repo=("2",))
    env.plane.offers = MODELS_AND_REPOS
    env.sync(ml_repo=("1",))
    both = env.sync(ml_repo=("1", "2"))

    assert (both.complete, both.coverage) == (False, "latest")
    assert both.warnings[0].startswith("The control plane offers less than in the last complete run")
    assert env.rows(ModelVersion, ModelVersion.superseded_at.is_not(None)) == []
    accepted = env.sync(ml_repo=("1", "2"), accept_coverage=True)
    assert (accepted.complete, {row["coverage"] for row in env.rows(SyncScope)}) == (True, {"latest"})
    superseded = env.rows(ModelVersion, ModelVersion.superseded_at.is_not(None))
    assert {row["ml_repo_id"] for row in superseded} == {"2"}


def test_batch_with_one_ml_repo_that_had_only_latest_versions_reads_them_all(env: SyncEnv) -> None:
    env.plane.offers = MODELS_AND_REPOS
    env.sync(ml_repo=("1",))
    env.plane.offers = EVERY_LIST
    env.sync(ml_repo=("2",))
    both = env.sync(ml_repo=("1", "2"))

    assert both.plan.because == "only the latest versions are stored, and the control plane offers all now"
    assert {row["coverage"] for row in env.rows(SyncScope)} == {"all"}


def test_run_over_everything_that_reads_no_versions_keeps_the_coverage_of_an_ml_repo(env: SyncEnv) -> None:
    env.sync()
    env.plane.offers = MODELS_AND_REPOS
    env.sync(ml_repo=("1",))
    env.plane.offers = EVERY_LIST
    coverages = []
    for full in (False, True):
        env.sync(full=full, page_size=2)  # a sweep of small pages takes longer than a request for each changed model
        coverages.append((state(env)["1"]["coverage"], state(env)[None]["coverage"]))

    assert coverages == [("latest", "all"), ("all", "all")]


def test_filters_keep_a_state_of_their_own(env: SyncEnv) -> None:
    env.sync(ml_repo=("1", "2"))
    before = state(env)
    name = env.registry.records("models")[0]["name"]
    env.sync(ml_repo=("1",), versions="latest")
    env.sync(ml_repo=("1", "2"), name=name)
    found = {row["scope"]: row for row in env.rows(SyncScope)}

    assert {key: row for key, row in state(env).items() if key} == before
    assert found.keys() - {row["scope"] for row in before.values()} == {
        '{"ml_repos":["1"],"versions":"latest"}',
        f'{{"ml_repos":["1","2"],"name":"{name}"}}',
    }


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"ml_repos": ["1", "2"]}, "interrupted"),
        ({"ml_repos": ["2"], "name": "a"}, "interrupted"),
        ({}, "interrupted"),
        ({"ml_repos": ["1"]}, "running"),
    ],
)
def test_dead_run_over_a_common_ml_repo_is_marked_interrupted(env: SyncEnv, scope: dict[str, Any], status: str) -> None:
    dead = env.sync().run_id
    with env.connection() as connection:
        connection.execute(update(SyncRun).where(SyncRun.id == dead).values(status="running", scope=scope))
    env.sync(ml_repo=("2", "3"))

    assert env.row(SyncRun, SyncRun.id == dead)["status"] == status


def test_a_hundred_ml_repos_in_one_run_are_listed_once(env: SyncEnv) -> None:
    while len(env.registry.ids("ml-repos")) < 120:
        env.registry.add_ml_repo()
    env.sync(ml_repo=tuple(env.registry.ids("ml-repos")[:100]), page_size=500)
    before = len(env.plane.log)
    summary = env.sync(ml_repo=tuple(env.registry.ids("ml-repos")[:100]), page_size=500, full_every=LONG)
    paths = [entry.path.rsplit("/", 1)[-1] for entry in env.plane.log[before:]]

    assert summary.complete
    assert {name: paths.count(name) for name in set(paths)} == {"ml-repos": 1, "models": 101, "model-versions": 1}


class TestOneOfManyMlRepos:
    """An ML repo is requested by its name, because a list of all takes many pages."""

    @pytest.fixture
    def many(self, env: SyncEnv) -> SyncEnv:
        while len(env.registry.ids("ml-repos")) < 120:
            env.registry.add_ml_repo()
        env.sync(page_size=500)
        env.plane.log.clear()
        return env

    def requested(self, env: SyncEnv) -> list[str | None]:
        """The names in the requests for ML repos."""
        return [entry.query.get("name") for entry in env.plane.log if entry.path.endswith("/ml-repos")]

    def test_is_requested_by_its_name(self, many: SyncEnv) -> None:
        many.registry.set_fields("2", {"num_runs": 12345})
        name = many.row(MlRepo, MlRepo.id == "2")["name"]
        summary = many.sync(ml_repo=("2",), page_size=500)

        assert self.requested(many) == [name]
        assert (summary.complete, summary.tallies[Entity.ML_REPOS].seen) == (True, 1)
        assert many.rows(MlRepo, MlRepo.deleted_at.is_not(None)) == []

    def test_is_found_in_the_list_after_it_was_renamed(self, many: SyncEnv) -> None:
        many.registry.set_fields("2", {"manifest": {"name": "renamed"}})
        summary = many.sync(ml_repo=("2",), page_size=500)

        assert self.requested(many)[1:] == [None]
        assert summary.tallies[Entity.ML_REPOS].updated == 1
        assert many.row(MlRepo, MlRepo.id == "2")["name"] == "renamed"

    def test_is_refused_after_it_was_deleted(self, many: SyncEnv) -> None:
        many.registry.delete_ml_repo("2")
        with pytest.raises(UnknownMlRepo):
            many.sync(ml_repo=("2",), page_size=500)

    def test_is_not_replaced_by_a_derived_one_if_ml_repos_are_no_longer_listed(self, many: SyncEnv) -> None:
        many.plane.offers = frozenset({"models", "model-versions"})
        summary = many.sync(ml_repo=("2",), page_size=500)

        assert (summary.complete, summary.tallies[Entity.MODELS].seen) == (True, 4)
        assert many.row(MlRepo, MlRepo.id == "2")["is_derived"] is False

    def test_several_are_found_in_one_list(self, many: SyncEnv) -> None:
        many.sync(ml_repo=("2", "3"), page_size=500)

        assert self.requested(many) == [None]
