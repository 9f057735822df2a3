import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)
from airflow.sdk.execution_time.context import OutletEventAccessors
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from etl.airflow.lineage import registry_asset, registry_assets
from etl.airflow.operators import TrueFoundryListMlReposOperator, TrueFoundrySyncOperator, balanced_batches, batches
from etl.errors import ConfigError
from etl.models import Change, MlRepo, Model, ModelVersion, SyncRun
from etl.simulator import fault
from etl.store import ALL_REPOS, Store
from tests.e2e.airflow.conftest import Connect
from tests.support.sync_env import TOKEN, SyncEnv


class Instance:
    """The part of a task instance that operators use."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def sync(**given: Any) -> TrueFoundrySyncOperator:
    usual: dict[str, Any] = {"task_id": "sync", "truefoundry_conn_id": "plane", "database_conn_id": "registry_db"}
    options = {"max_retries": 0, "page_size": 20} | given.pop("options", {})
    return TrueFoundrySyncOperator(**usual | given, options=options)


def context() -> Any:
    return {"ti": Instance(), "outlet_events": OutletEventAccessors()}


def run(**given: Any) -> dict[str, Any]:
    return sync(**given).execute(context())


def store_versions(env: SyncEnv, numbers: dict[str, int]) -> None:
    """Store so many versions in each of these ML repos."""
    with env.connection() as connection:
        row = dict(connection.execute(select(ModelVersion.__table__).limit(1)).mappings().one())
        for ml_repo, number in numbers.items():
            copies = [row | {"id": f"{ml_repo}-{each}", "ml_repo_id": ml_repo} for each in range(number)]
            connection.execute(insert(ModelVersion), copies)


@pytest.fixture(autouse=True)
def _called_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the check of Airflow that only its workers execute operators."""
    monkeypatch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True, raising=False)


def test_a_sync_copies_the_registry_and_returns_its_summary(env: SyncEnv) -> None:
    summary = run()
    assert (summary["status"], summary["complete"], summary["models"]["inserted"], summary["ml_repos"]) == (
        "succeeded",
        True,
        12,
        [],
    )
    assert env.held() == env.served()
    assert env.row(SyncRun)["id"] == summary["run_id"]
    json.dumps(summary)


@pytest.mark.parametrize("ml_repos", [["2", "3"], "2,3", " 2 , 3 "])
def test_a_sync_of_some_ml_repos_reads_no_other(ml_repos: Any, env: SyncEnv) -> None:
    assert run(ml_repos=ml_repos)["ml_repos"] == ["2", "3"]
    assert {row["ml_repo_id"] for row in env.rows(Model)} == {"2", "3"}
    assert env.row(SyncRun)["scope"] == {"ml_repos": ["2", "3"]}


def test_a_database_may_be_named_by_a_url_without_a_password(env: SyncEnv, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    operator, given = sync(database_conn_id=None, database_url=url, outlets=[Asset("anything")]), context()
    assert operator.execute(given)["models"]["inserted"] == 12
    assert given["outlet_events"][Asset("anything")].extra["database"] == f"file/{tmp_path}/registry.db"
    assert env.rows(Model) == []


def test_the_token_is_in_no_template_field_and_no_log(env: SyncEnv, caplog: pytest.LogCaptureFixture) -> None:
    env.plane.faults = [fault("flaky_500:503")]
    operator = sync()
    with caplog.at_level(logging.DEBUG), pytest.raises(AirflowException) as raised:
        operator.execute(context())
    shown = {name: getattr(operator, name) for name in operator.template_fields}
    assert TOKEN not in f"{shown} {caplog.text} {raised.value}"
    assert caplog.text


def test_a_refused_token_fails_without_retry(env: SyncEnv, connect: Connect) -> None:
    connect("plane", conn_type="truefoundry", host=env.plane.url, password="another-token")
    with pytest.raises(AirflowFailException) as raised:
        run()
    assert "another-token" not in str(raised.value)


def test_an_unreachable_control_plane_is_retried(env: SyncEnv) -> None:
    env.plane.stop()
    with pytest.raises(AirflowException) as raised:
        run()
    assert type(raised.value) is AirflowException


def test_rejected_records_fail_the_task_without_retry_and_keep_its_summary(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", None)
    given = context()
    with pytest.raises(AirflowFailException, match="1 record rejected"):
        sync().execute(given)
    assert given["ti"].pushed["return_value"]["rejected"] == 1
    assert env.row(SyncRun)["status"] == "partial"


def test_a_partial_run_passes_if_configured(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", None)
    assert run(fail_on_partial=False)["status"] == "partial"


def test_a_run_without_a_proof_is_retried(env: SyncEnv) -> None:
    env.registry.order = "shuffled"
    with pytest.raises(AirflowException, match="was not proven complete") as raised:
        run(options={"page_size": 5})
    assert type(raised.value) is AirflowException


def test_too_many_deletes_fail_without_retry_and_can_be_allowed(env: SyncEnv) -> None:
    run()
    env.registry.delete_ml_repo("1")
    with pytest.raises(AirflowFailException, match="missing at the source"):
        run()
    assert run(options={"allow_mass_delete": "True"})["models"]["deleted"] == 4


@pytest.mark.parametrize(
    ("on_lock_held", "ending"),
    [("skip", AirflowSkipException), ("reschedule", AirflowRescheduleException), ("retry", AirflowException)],
)
def test_a_held_lock_ends_the_task_as_on_lock_held_says(
    on_lock_held: str, ending: type[Exception], env: SyncEnv
) -> None:
    with Store(env.url) as store:
        store.lock(ALL_REPOS, 0)
        with pytest.raises(AirflowException) as raised:
            run(on_lock_held=on_lock_held)
    assert type(raised.value) is ending


def test_a_deleted_ml_repo_is_skipped_and_the_others_are_synced(env: SyncEnv) -> None:
    env.registry.delete_ml_repo("2")
    with pytest.raises(AirflowFailException, match="knows no ML repo of the id"):
        run(ml_repos=["2", "3"])
    assert run(ml_repos=["2", "3"], skip_unknown_ml_repos=True)["ml_repos"] == ["3"]
    with pytest.raises(AirflowSkipException, match="no longer exist: 2"):
        run(ml_repos=["2"], skip_unknown_ml_repos=True)


def test_a_kill_ends_the_run_cleanly_and_frees_the_lock(env: SyncEnv) -> None:
    operator = sync()

    def kill(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        if path.endswith("/model-versions"):
            os.kill(os.getpid(), signal.SIGTERM)

    env.plane.before_request = kill
    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())  # as Airflow's handler does
    try:
        with pytest.raises(AirflowException, match="Interrupted: no record was written"):
            operator.execute(context())
    finally:
        signal.signal(signal.SIGTERM, before)
        env.plane.before_request = None
    operator.on_kill()  # no run is left to end

    assert env.rows(Model) == []
    assert env.row(SyncRun)["status"] == "interrupted"
    assert run()["complete"]


def test_an_asset_event_names_the_run_and_what_it_wrote(env: SyncEnv) -> None:
    given, operator = context(), sync(outlets=registry_assets("registry_db"))
    summary = operator.execute(given)
    extra = given["outlet_events"][registry_asset("registry_db", "models")].extra
    assert extra["run_ids"] == [summary["run_id"]]
    assert extra["counts"]["models"] == {"inserted": 12, "updated": 0, "deleted": 0, "restored": 0}
    assert (extra["first_change_id"], extra["last_change_id"]) == (None, None)  # a first load records no changes
    assert extra["database"].startswith("postgres://")
    assert TOKEN not in str(extra)
    assert len(operator.outlets) == 8


def test_only_assets_of_changed_tables_get_an_event(env: SyncEnv) -> None:
    env.sync()
    env.registry.set_tags(env.registry.ids("model-versions")[0], ["production"])
    outlets = [*registry_assets("registry_db"), Asset("report")]
    given, operator = context(), sync(outlets=outlets)
    operator.execute(given)
    assert [each.name.rpartition("/")[2] for each in operator.outlets] == [
        "models", "model_versions", "model_version_tags", "model_version_metrics", "model_version_packages",
        "model_run_steps", "subjects", "report",
    ]  # fmt: skip
    extra = given["outlet_events"][outlets[1]].extra
    ids = [row["id"] for row in env.rows(Change)]
    assert (extra["first_change_id"], extra["last_change_id"]) == (min(ids), max(ids))

    unchanged = sync(outlets=outlets)
    unchanged.execute(context())
    assert unchanged.outlets == []
    everything = sync(outlets=outlets, events="all")
    everything.execute(context())
    assert everything.outlets == outlets


def test_an_incomplete_run_emits_no_asset_event(env: SyncEnv) -> None:
    env.registry.order = "shuffled"
    operator = sync(outlets=[Asset("anything")], fail_on_partial=False, options={"page_size": 5})
    assert not operator.execute(context())["complete"]
    assert operator.outlets == []


def test_a_run_that_wrote_nothing_emits_no_asset_event(env: SyncEnv) -> None:
    operator = sync(outlets=[Asset("anything")], options={"dry_run": True})
    assert operator.execute(context())["models"]["inserted"] == 12
    assert operator.outlets == []
    assert env.rows(Model) == []


def test_lineage_names_the_registry_the_tables_and_the_rows_written(env: SyncEnv) -> None:
    operator = sync()
    assert operator.get_openlineage_facets_on_complete(None) is None
    operator.execute(context())
    facets = operator.get_openlineage_facets_on_complete(None)
    (source,) = facets.inputs
    written = {each.name.rsplit(".", 1)[-1]: each for each in facets.outputs}
    assert (source.namespace, source.name) == (env.plane.url, "model-registry")
    assert written["models"].namespace.startswith("postgres://")
    assert written["models"].outputFacets["outputStatistics"].rowCount == 12
    assert written["model_versions"].outputFacets["outputStatistics"].rowCount == 36
    assert len(written) == 8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"database_conn_id": None}, "Pass exactly one of"),
        ({"database_url": "sqlite:///x.db"}, "Pass exactly one of"),
        ({"database_conn_id": None, "database_url": "postgresql://a:secret@b/c"}, "must not contain a password"),
        ({"on_lock_held": "panic"}, "Invalid on_lock_held 'panic'"),
        ({"options": {"api_key": "x"}}, "not allowed here: api_key"),
    ],
)
def test_invalid_arguments_fail_when_the_dag_is_parsed(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sync(**given)


def test_ml_repos_are_listed_one_to_a_task(env: SyncEnv) -> None:
    listing = TrueFoundryListMlReposOperator(task_id="list", truefoundry_conn_id="plane")
    assert listing.execute(context()) == [["1"], ["2"], ["3"]]


def test_ml_repos_are_not_listed_with_a_refused_token(env: SyncEnv, connect: Connect) -> None:
    connect("plane", conn_type="truefoundry", host=env.plane.url, password="another-token")
    with pytest.raises(AirflowFailException):
        TrueFoundryListMlReposOperator(task_id="list", truefoundry_conn_id="plane").execute(context())


@given(ml_repos=st.sets(st.integers(1, 5000).map(str), max_size=300), size=st.integers(-1, 50))
def test_every_ml_repo_is_in_one_batch_and_batches_are_few(ml_repos: set[str], size: int) -> None:
    for limit in (1, 7, 1024):
        found = batches(sorted(ml_repos), size, limit)
        assert sorted(each for batch in found for each in batch) == sorted(ml_repos)
        assert all(found)
        assert len(found) <= limit
        assert size <= 1 or len(found) <= max(1, 2 * len(ml_repos) / size)


def test_a_new_ml_repo_changes_one_batch() -> None:
    ml_repos = [str(number) for number in range(100)]
    for size, limit in ((10, 1024), (1, 50)):
        before, after = batches(ml_repos, size, limit), batches([*ml_repos, "500"], size, limit)
        assert len([batch for batch in after if batch not in before]) == 1


@given(versions=st.dictionaries(st.text(max_size=3), st.integers(0, 10_000), max_size=60), limit=st.integers(1, 20))
def test_balanced_batches_have_each_ml_repo_once_and_similar_costs(versions: dict[str, int], limit: int) -> None:
    found = balanced_batches(versions, limit)
    costs = [sum(100 + versions[each] for each in batch) for batch in found]

    assert sorted(each for batch in found for each in batch) == sorted(versions)
    assert len(found) == min(limit, len(versions))
    if costs:
        # The greedy assignment, with costs that are rounded down by less than a half.
        average, largest = sum(costs) / limit, max(versions.values()) + 100
        assert max(costs) <= 1.5 * (average + largest)


def test_a_few_new_versions_change_no_balanced_batch() -> None:
    versions = {str(number): 1000 + number % 50 for number in range(200)}
    more = {ml_repo: number + 30 for ml_repo, number in versions.items()}
    assert balanced_batches(versions, 64) == balanced_batches(more, 64)


def test_more_ml_repos_than_airflow_maps_are_batched_by_their_stored_versions(env: SyncEnv) -> None:
    while len(env.registry.ids("ml-repos")) < 1100:
        env.registry.add_ml_repo()
    run(ml_repos=list("123456"), options={"page_size": 500})  # 12 versions in each of the first three
    store_versions(env, {"4": 3000, "5": 500, "6": 500})
    listing = TrueFoundryListMlReposOperator(
        task_id="list", truefoundry_conn_id="plane", database_conn_id="registry_db"
    )
    found = listing.execute(context())
    batch_of = {ml_repo: batch for batch in found for ml_repo in batch}

    assert len(found) == 1024
    assert sorted(each for batch in found for each in batch) == sorted(env.registry.ids("ml-repos"))
    assert {len(batch) for batch in found} == {1, 2}
    assert [batch_of[each] for each in ("4", "5", "6")] == [["4"], ["5"], ["6"]]


@pytest.mark.parametrize("database", [{}, {"database_url": "sqlite:////tmp/no-such-folder/no-such-file.db"}])
def test_batches_have_the_same_number_of_ml_repos_if_nothing_is_stored(env: SyncEnv, database: dict[str, Any]) -> None:
    while len(env.registry.ids("ml-repos")) < 1100:
        env.registry.add_ml_repo()
    found = TrueFoundryListMlReposOperator(task_id="list", truefoundry_conn_id="plane", **database).execute(context())

    assert (len(found), {len(batch) for batch in found}) == (1024, {1, 2})


def test_a_list_takes_one_database_and_no_password_in_its_url() -> None:
    with pytest.raises(ConfigError, match="only one of"):
        TrueFoundryListMlReposOperator(task_id="list", database_conn_id="a", database_url="sqlite:///b")
    with pytest.raises(ConfigError, match="password"):
        TrueFoundryListMlReposOperator(task_id="list", database_url="postgresql://a:b@c/d")


def test_more_ml_repos_than_airflow_maps_are_put_into_larger_batches_than_wanted(env: SyncEnv) -> None:
    while len(env.registry.ids("ml-repos")) < 1100:
        env.registry.add_ml_repo()
    found = TrueFoundryListMlReposOperator(task_id="list", truefoundry_conn_id="plane", repos_per_task=1).execute(
        context()
    )
    assert 512 < len(found) <= 1024
    assert sorted(each for batch in found for each in batch) == sorted(env.registry.ids("ml-repos"))
    batch = max(found, key=len)
    assert len(batch) > 1
    assert run(ml_repos=batch)["ml_repos"] == batch
    assert {row["id"] for row in env.rows(MlRepo)} == set(batch)
