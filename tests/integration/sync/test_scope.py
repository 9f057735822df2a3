from typing import Any

import pytest

from etl.enums import Entity
from etl.errors import ConfigError, DeleteLimitExceeded, RequestRefused, UnknownMlRepo
from etl.models import MlRepo, Model, SyncRun, SyncScope
from etl.settings import Settings
from etl.simulator import fault
from etl.simulator.faults import Fault, FaultContext
from etl.simulator.http_types import Proceed, Response, refusal
from etl.source import Listing
from etl.store import Tally
from etl.sync import NEVER
from etl.sync.scope import Scope
from tests.support.sync_env import SyncEnv


def test_a_scope_without_filters_is_called_all() -> None:
    assert Scope().label() == "all"
    assert Scope().as_json() == {}


def test_same_filters_in_any_order_make_the_same_scope() -> None:
    one, other = (Scope.of(Settings(ml_repo=repos, name="a")) for repos in (("2", "1", "2"), ("1", "2")))

    assert one == other
    assert one.label() == '{"ml_repos":["1","2"],"name":"a"}'


def test_label_of_many_ml_repos_is_cut_for_the_index_and_stays_unique() -> None:
    many, more = (Scope(ml_repos=tuple(map(str, range(count)))).label() for count in (1000, 1001))

    assert len(many) == len(more) == 500
    assert many != more


def test_every_filter_of_the_api_is_passed_on() -> None:
    scope = Scope(ml_repos=("1", "2"), fqn="model:a/b/c", name="c", run_id="r", include_empty=False)
    filters = (("fqn", "model:a/b/c"), ("name", "c"), ("run_id", "r"), ("include_empty_models", "false"))

    assert list(scope.model_listings()) == [
        Listing("models", (("ml_repo_id", "1"), *filters)),
        Listing("models", (("ml_repo_id", "2"), *filters)),
    ]
    assert list(Scope().model_listings()) == [Listing("models")]


@pytest.mark.parametrize(
    ("scope", "whole"),
    [
        (Scope(), True),
        (Scope(ml_repos=("1",)), True),
        (Scope(versions="latest"), True),
        (Scope(fqn="f"), False),
        (Scope(name="n"), False),
        (Scope(run_id="r"), False),
        (Scope(include_empty=False), False),
    ],
)
def test_scope_lists_every_model_unless_models_are_filtered(*, scope: Scope, whole: bool) -> None:
    assert scope.lists_every_model is whole


def test_a_filtered_run_deletes_nothing(env: SyncEnv) -> None:
    env.registry.add_model("1")
    env.sync()
    model = env.registry.records("models")[0]
    env.registry.delete_model(model["id"])
    runs = [
        env.sync(name=model["name"]),
        env.sync(fqn=model["fqn"]),
        env.sync(run_id="nobody's"),
        env.sync(include_empty=False),
    ]

    assert [run.tallies[Entity.MODELS].seen for run in runs] == [0, 0, 0, 11]
    assert all(tally.deleted == 0 for run in runs for tally in run.tallies.values())
    assert env.rows(Model, Model.deleted_at.is_not(None)) == []


def test_run_over_an_ml_repo_deletes_only_inside_it(env: SyncEnv) -> None:
    env.sync()
    first, second = env.registry.ids("models")[:2]
    env.registry.delete_model(first)
    env.registry.delete_model(second)
    summary = env.sync(ml_repo=("1",), max_delete_share=0.25)

    assert summary.tallies[Entity.MODELS] == Tally(seen=3, unchanged=3, deleted=1)
    assert summary.tallies[Entity.MODEL_VERSIONS].deleted == 3
    assert summary.tallies[Entity.ML_REPOS] == Tally(seen=1, unchanged=1)
    assert [row["id"] for row in env.rows(Model, Model.deleted_at.is_not(None))] == [first]


def test_delete_limit_is_a_share_of_the_scope(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[0])
    with pytest.raises(DeleteLimitExceeded, match="1 of 4 models is missing at the source, more than 20% at once"):
        env.sync(ml_repo=("1",))


def test_each_scope_has_a_state_of_its_own(env: SyncEnv) -> None:
    env.sync()
    whole = env.row(SyncScope)
    env.sync(ml_repo=("1",))
    scopes = env.rows(SyncScope)

    assert [row["scope"] for row in scopes] == ["all", '{"ml_repos":["1"]}']
    assert scopes[0] == whole
    assert [row["scope"] for row in env.rows(SyncRun, SyncRun.scope == {"ml_repos": ["1"]})] == [{"ml_repos": ["1"]}]


def test_runs_over_each_ml_repo_store_the_same_as_a_run_over_everything(env: SyncEnv) -> None:
    for repo in ("1", "2", "3"):
        assert env.sync(ml_repo=(repo,)).tallies[Entity.MODELS].inserted == 4
    before = env.registry_dump()

    assert env.held() == env.served()
    env.sync(full=True)
    assert env.registry_dump() == before


def test_incremental_run_over_everything_requests_no_version_that_runs_over_each_ml_repo_have_read(
    env: SyncEnv,
) -> None:
    for repo in ("1", "2", "3"):
        env.sync(ml_repo=(repo,))
    before = len(env.plane.log)
    over_all = env.sync(full_every=NEVER)
    requested = {
        entry.path.rsplit("/", 1)[-1]
        for entry in env.plane.log[before:]
        if entry.query["limit"] != "1"  # no probe
    }

    assert (over_all.mode, over_all.complete, over_all.plan.way) == ("incremental", True, "none")
    assert requested == {"ml-repos", "models"}
    assert env.held() == env.served()


def test_unknown_ml_repo_is_refused_with_a_list_of_the_known_ones(env: SyncEnv) -> None:
    with pytest.raises(UnknownMlRepo, match=r"with the id '77': it lists 1 \(risk\), 2") as error:
        env.sync(ml_repo=("77", "1", "78"))

    assert error.value.ml_repos == ("77", "78")
    assert env.row(SyncRun)["status"] == "failed"


def test_ml_repo_missing_from_an_unproven_list_is_not_refused(env: SyncEnv) -> None:
    env.plane.faults = [fault("empty_page,endpoint=ml-repos")]
    summary = env.sync(ml_repo=("3",), page_size=2)

    assert (summary.complete, summary.exit_code) == (False, 3)
    assert env.row(MlRepo, MlRepo.id == "3")["is_derived"]


def test_all_versions_are_read_in_one_sweep_if_empty_models_are_left_out(env: SyncEnv) -> None:
    summary = env.sync(include_empty=False, full=True)
    assert summary.plan.way == "sweep"
    assert len(env.held()["model_versions"]) == len(env.registry.ids("model-versions"))


@pytest.mark.parametrize("empty", [{"fqn": ""}, {"name": ""}, {"run_id": ""}, {"ml_repo": ("1", "")}])
def test_an_empty_filter_is_refused(empty: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="is empty: give a value, or leave it out"):
        Scope.of(Settings(**empty))


@pytest.mark.parametrize("scope", [{}, {"ml_repo": ("1",)}], ids=str)
def test_scope_that_loses_its_last_model_stays_complete_where_versions_are_listed_by_model(
    scope: dict[str, tuple[str, ...]], env: SyncEnv
) -> None:
    env.plane.versions_listing = "model"
    env.sync(**scope)
    for model in env.registry.ids("models"):
        if not scope or env.registry.get("models", model)["ml_repo_id"] == "1":
            env.registry.delete_model(model)
    summaries = [env.sync(**scope, allow_mass_delete=True) for _ in range(2)]

    assert [(each.complete, each.coverage) for each in summaries] == [(True, "all")] * 2
    assert env.held()["model_versions"] == {}


def require_ml_repo(context: FaultContext, proceed: Proceed) -> Response:
    """Refuse lists of versions without the filter `ml_repo_id`."""
    is_list = context.request.path.endswith("/model-versions")
    return refusal(422, "Field required") if is_list and "ml_repo_id" not in context.request.query else proceed()


@pytest.mark.parametrize("full", [True, False])
def test_versions_are_swept_where_they_are_listed_by_ml_repo_only(*, full: bool, env: SyncEnv) -> None:
    env.plane.faults = [Fault(require_ml_repo, endpoint="model-versions")]
    env.sync()
    env.registry.delete_version(env.registry.ids("model-versions")[0])
    summary = env.sync(full=full)

    assert summary.complete
    assert env.held() == env.served()


def test_run_over_one_model_never_sweeps_the_versions_of_others(env: SyncEnv) -> None:
    env.plane.faults = [Fault(require_ml_repo, endpoint="model-versions")]
    env.sync()
    model, other = env.registry.ids("models")[:2]
    env.registry.touch(model)
    new = env.registry.add_version(other)

    with pytest.raises(RequestRefused):
        env.sync(fqn=env.registry.get("models", model)["fqn"])
    assert new not in env.held()["model_versions"]
