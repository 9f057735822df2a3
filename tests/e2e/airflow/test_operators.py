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

from etl.airflow.lineage import registry_asset, registry_assets
from etl.airflow.operators import TrueFoundrySyncOperator
from etl.enums import Entity
from etl.errors import ConfigError
from etl.models import Change, Model, SyncRun
from etl.simulator import fault
from etl.store import ALL_REPOS, Store
from tests.e2e.airflow.conftest import Connect
from tests.e2e.airflow.running import context
from tests.e2e.airflow.running import operator as sync
from tests.support.sync_env import TOKEN, SyncEnv


def run(**arguments: Any) -> dict[str, Any]:
    return sync(**arguments).execute(context())


@pytest.fixture(autouse=True)
def _outside_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the check of Airflow that only its workers execute operators."""
    monkeypatch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True, raising=False)


def test_a_sync_copies_the_registry_and_returns_its_summary(env: SyncEnv) -> None:
    summary = run()
    assert (summary["status"], summary["complete"], summary["ml_repo_ids"]) == ("succeeded", True, [])
    assert [summary[entity]["inserted"] for entity in Entity] == [3, 12, 36]
    assert env.held() == env.served()
    assert env.row(SyncRun)["id"] == summary["run_id"]
    json.dumps(summary)


@pytest.mark.parametrize("ml_repos", [["2", "3"], "2,3", " 2 , 3 "])
def test_a_sync_of_some_ml_repos_copies_no_other(ml_repos: Any, env: SyncEnv) -> None:
    assert run(ml_repos=ml_repos)["ml_repo_ids"] == ["2", "3"]
    assert {row["ml_repo_id"] for row in env.rows(Model)} == {"2", "3"}
    assert env.row(SyncRun)["scope"] == {"ml_repos": ["2", "3"]}


def test_a_database_can_be_set_by_a_url_without_a_password(env: SyncEnv, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/registry.db"
    operator, task_context = sync(database_conn_id=None, database_url=url, outlets=[Asset("anything")]), context()
    assert operator.execute(task_context)["models"]["inserted"] == 12
    assert task_context["outlet_events"][Asset("anything")].extra["database"] == f"file/{tmp_path}/registry.db"
    assert env.rows(Model) == []


def test_the_token_is_in_no_template_field_and_no_log(env: SyncEnv, caplog: pytest.LogCaptureFixture) -> None:
    env.plane.faults = [fault("flaky_500:503")]
    operator = sync()
    with caplog.at_level(logging.DEBUG), pytest.raises(AirflowException) as raised:
        operator.execute(context())
    fields = {name: getattr(operator, name) for name in operator.template_fields}
    assert TOKEN not in f"{fields} {caplog.text} {raised.value}"
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
    task_context = context()
    with pytest.raises(AirflowFailException, match="1 record rejected"):
        sync().execute(task_context)
    assert task_context["ti"].pushed["return_value"]["rejected"] == 1
    assert env.row(SyncRun)["status"] == "partial"


def test_a_partial_run_passes_if_configured(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", None)
    assert run(fail_on_partial=False)["status"] == "partial"


def test_an_unproven_run_is_retried(env: SyncEnv) -> None:
    env.registry.order = "shuffled"
    with pytest.raises(AirflowException, match="was not proven complete") as raised:
        run(options={"page_size": 5})
    assert type(raised.value) is AirflowException


def test_a_run_whose_coverage_shrank_fails_without_retry_until_it_is_accepted(env: SyncEnv) -> None:
    run()
    env.plane.offers = frozenset({"models", "ml-repos"})
    with pytest.raises(AirflowFailException, match="offers less than in the last complete run"):
        run()
    assert run(options={"accept_coverage": True})["coverage"] == "latest"


def test_too_many_deletes_fail_without_retry_and_can_be_allowed(env: SyncEnv) -> None:
    run()
    env.registry.delete_ml_repo("1")
    with pytest.raises(AirflowFailException, match="missing at the source"):
        run()
    assert run(options={"allow_mass_delete": "True"})["models"]["deleted"] == 4


@pytest.mark.parametrize("arguments", [{}, {"fail_on_partial": False}])
def test_a_dry_run_with_too_many_deletes_fails_without_retry_and_keeps_its_summary(
    arguments: dict[str, Any], env: SyncEnv
) -> None:
    env.sync()
    env.registry.delete_ml_repo("1")
    task_context = context()
    with pytest.raises(AirflowFailException, match="missing at the source"):
        sync(options={"dry_run": True}, **arguments).execute(task_context)
    assert task_context["ti"].pushed["return_value"]["status"] == "refused"


@pytest.mark.parametrize(
    ("on_lock_held", "expected"),
    [("skip", AirflowSkipException), ("reschedule", AirflowRescheduleException), ("retry", AirflowException)],
)
def test_on_lock_held_selects_how_a_held_lock_ends_the_task(
    on_lock_held: str, expected: type[Exception], env: SyncEnv
) -> None:
    with Store(env.url) as store:
        store.lock(ALL_REPOS, 0)
        with pytest.raises(AirflowException) as raised:
            run(on_lock_held=on_lock_held)
    assert type(raised.value) is expected


def test_a_deleted_ml_repo_is_skipped_and_the_others_are_synced(env: SyncEnv) -> None:
    env.registry.delete_ml_repo("2")
    with pytest.raises(AirflowFailException, match="has no ML repo with the id"):
        run(ml_repos=["2", "3"])
    assert run(ml_repos=["2", "3"], skip_unknown_ml_repos=True)["ml_repo_ids"] == ["3"]
    with pytest.raises(AirflowSkipException, match="no longer exist: 2"):
        run(ml_repos=["2"], skip_unknown_ml_repos=True)


def test_a_kill_ends_the_run_cleanly_and_frees_the_lock(env: SyncEnv) -> None:
    operator = sync()

    def kill(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        if path.endswith("/model-versions"):
            os.kill(os.getpid(), signal.SIGTERM)

    env.plane.before_request = kill
    old_handler = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())  # as Airflow's handler does
    try:
        with pytest.raises(AirflowException, match="Interrupted: no record was written"):
            operator.execute(context())
    finally:
        signal.signal(signal.SIGTERM, old_handler)
        env.plane.before_request = None
    operator.on_kill()  # no run is left to end

    assert env.rows(Model) == []
    assert env.row(SyncRun)["status"] == "interrupted"
    assert run()["complete"]


def test_an_asset_event_has_the_run_and_the_number_of_rows_written(env: SyncEnv) -> None:
    task_context, operator = context(), sync(outlets=registry_assets("registry_db"))
    summary = operator.execute(task_context)
    extra = task_context["outlet_events"][registry_asset("registry_db", "models")].extra
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
    task_context, operator = context(), sync(outlets=outlets)
    operator.execute(task_context)
    assert [each.name.rpartition("/")[2] for each in operator.outlets] == [
        "models", "model_versions", "model_version_tags", "model_version_metrics", "model_version_packages",
        "model_run_steps", "subjects", "report",
    ]  # fmt: skip
    extra = task_context["outlet_events"][outlets[1]].extra
    ids = [row["id"] for row in env.rows(Change)]
    assert (extra["first_change_id"], extra["last_change_id"]) == (min(ids), max(ids))

    unchanged = sync(outlets=outlets)
    unchanged.execute(context())
    assert unchanged.outlets == []
    everything = sync(outlets=outlets, events="all")
    everything.execute(context())
    assert everything.outlets == outlets


def test_a_database_that_fails_after_the_run_fails_the_task_without_the_cause(env: SyncEnv) -> None:
    class Breaks(TrueFoundrySyncOperator):
        def result(self, summary: Any, settings: Any) -> dict[str, Any]:
            env.execute("ALTER TABLE sync_run_counts RENAME TO moved")
            return super().result(summary, settings)

    operator = Breaks(
        task_id="sync", truefoundry_conn_id="plane", database_conn_id="registry_db", outlets=[Asset("anything")]
    )
    with pytest.raises(AirflowException, match="sync_run_counts") as raised:
        operator.execute(context())
    assert raised.value.__cause__ is None


def test_an_incomplete_run_emits_no_asset_event(env: SyncEnv) -> None:
    env.registry.order = "shuffled"
    operator = sync(outlets=[Asset("anything")], fail_on_partial=False, options={"page_size": 5})
    assert not operator.execute(context())["complete"]
    assert operator.outlets == []


def test_an_event_has_all_runs_since_the_last_event_including_failed_ones(env: SyncEnv) -> None:
    asset = Asset("report")
    stored: dict[str, list[Any]] = {}
    sync(outlets=[asset]).execute(context(stored))
    env.registry.add_version(env.registry.ids("models")[0])
    env.registry.put_raw("models", "odd", None)
    with pytest.raises(AirflowFailException, match="1 record rejected"):
        sync(outlets=[asset]).execute(context(stored))
    env.registry.delete_model("odd")
    other_run = env.sync(ml_repo=("2",))  # changes nothing

    task_context, operator = context(stored), sync(outlets=[asset])
    summary = operator.execute(task_context)
    ids = [row["id"] for row in sorted(env.rows(SyncRun), key=lambda row: row["started_at"])]
    assert task_context["outlet_events"][asset].extra["run_ids"] == [ids[1], summary["run_id"]]
    assert other_run.run_id == ids[2]
    assert task_context["outlet_events"][asset].extra["counts"]["model_versions"]["inserted"] == 1
    second = sync(outlets=[asset])
    second.execute(context(stored))
    assert second.outlets == []


def test_a_task_with_different_ml_repos_in_each_dag_run_misses_no_change(env: SyncEnv) -> None:
    stored: dict[str, list[Any]] = {}
    asset = Asset("report")
    for ml_repo in ("2", "3"):
        sync(outlets=[asset], ml_repos=[ml_repo]).execute(context(stored))
    env.registry.add_model("2")
    manual_run = env.sync(ml_repo=("2",))
    other_task = sync(outlets=[asset], ml_repos=["3"])
    other_task.execute(context(stored))
    assert other_task.outlets == []
    task_context = context(stored)
    sync(outlets=[asset], ml_repos=["2"]).execute(task_context)
    assert task_context["outlet_events"][asset].extra["run_ids"][0] == manual_run.run_id


def test_an_event_has_the_earlier_attempts_of_its_task_in_the_first_dag_run(env: SyncEnv) -> None:
    task_context = context()
    env.sync(ml_repo=("2",))
    env.sync(ml_repo=("3",))
    operator = sync(outlets=[Asset("report")], ml_repos=["2"])
    assert operator.execute(task_context)["models"]["inserted"] == 0
    extra = task_context["outlet_events"][Asset("report")].extra
    assert (extra["counts"]["models"]["inserted"], len(extra["run_ids"])) == (4, 2)


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
    ("arguments", "message"),
    [
        ({"database_conn_id": None}, "Pass exactly one of"),
        ({"database_conn_id": None, "database_url": ""}, "Pass exactly one of"),
        ({"database_conn_id": ""}, "Pass exactly one of"),
        ({"database_url": "sqlite:///x.db"}, "Pass exactly one of"),
        ({"database_conn_id": None, "database_url": "postgresql://a:secret@b/c"}, "must not contain a password"),
        ({"on_lock_held": "panic"}, "Invalid on_lock_held 'panic'"),
        ({"options": {"api_key": "x"}}, "not allowed here: api_key"),
    ],
)
def test_invalid_arguments_fail_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        sync(**arguments)
