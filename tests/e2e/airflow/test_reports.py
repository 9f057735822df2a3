"""Operators report their runs to metrics file, webhook and OTLP, as the command does."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)
from prometheus_client.parser import text_string_to_metric_families

from etl.airflow.operators import TrueFoundryVerifyOperator
from etl.models import SyncRun
from etl.store import ALL_REPOS, Store
from tests.e2e.airflow.conftest import Connect
from tests.e2e.airflow.running import context, operator
from tests.support.otlp_receiver import OtlpReceiver, metrics, receiver, spans
from tests.support.sync_env import TOKEN, SyncEnv

SECRET = "T0001/B0002/key-that-nobody-may-see"


@pytest.fixture(autouse=True)
def _outside_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True, raising=False)


@pytest.fixture
def http_receiver() -> Iterator[OtlpReceiver]:
    with receiver() as listening:
        yield listening


@pytest.fixture
def collector(http_receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> OtlpReceiver:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", http_receiver.url)
    return http_receiver


@pytest.fixture
def reports(tmp_path: Path, http_receiver: OtlpReceiver) -> dict[str, Any]:
    """Options for a metrics file and a webhook."""
    return {"metrics_file": str(tmp_path / "tfy-etl.prom"), "notify_url": f"{http_receiver.url}/{SECRET}"}


def run(reports: dict[str, Any], options: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    return operator(options=reports | (options or {}), **arguments).execute(context())


def metric_values(reports: dict[str, Any], scope: str = "all") -> dict[str, float]:
    """The samples of a scope in the metrics file, by name and other labels."""
    found = {}
    for family in text_string_to_metric_families(Path(reports["metrics_file"]).read_text()):
        for sample in family.samples:
            labels = {**sample.labels}
            if labels.pop("scope", None) == scope:
                found[" ".join([sample.name, *labels.values()])] = sample.value
    return found


def messages(http_receiver: OtlpReceiver) -> list[Any]:
    return [post.json() for post in http_receiver.to(f"/{SECRET}")]


def test_a_sync_is_reported_to_the_metrics_file_and_the_collector_and_sends_no_message(
    env: SyncEnv, reports: dict[str, Any], collector: OtlpReceiver
) -> None:
    summary = run(reports)
    found = metric_values(reports)
    assert found["tfy_etl_runs_total succeeded"] == 1
    assert found["tfy_etl_records_total model_versions inserted"] == 36
    assert found["tfy_etl_http_requests_total"] == summary["requests"]
    first, *parts = spans(collector)
    assert first.attributes["tfy_etl.run_id"] == summary["run_id"]
    assert {"models", "versions", "writing"} <= {part.name for part in parts}
    assert metrics(collector)["tfy_etl.http.requests {request}"] == {(("scope", "all"),): summary["requests"]}
    assert messages(collector) == []


def test_a_failed_run_is_reported_everywhere_with_the_message_of_the_task(
    env: SyncEnv, reports: dict[str, Any], collector: OtlpReceiver, connect: Connect
) -> None:
    connect("plane", conn_type="truefoundry", host=env.plane.url, password="another-token")
    with pytest.raises(AirflowFailException) as raised:
        run(reports)
    (message,) = messages(collector)
    assert message["error"] == str(raised.value)
    assert "the field Token (password) of the connection 'plane'" in message["error"]
    assert (message["status"], message["exit_code"], message["host"]) == ("failed", 2, env.plane.url)
    assert metric_values(reports)["tfy_etl_runs_total failed"] == 1
    assert spans(collector)[0].error == message["error"]


def test_reports_and_logs_have_no_token_and_logs_no_webhook_url(
    env: SyncEnv, reports: dict[str, Any], collector: OtlpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 500
    with caplog.at_level(logging.DEBUG), pytest.raises(AirflowException) as raised:
        run(reports, ml_repos=[f"{TOKEN} {SECRET}"])
    assert len(messages(collector)) == 1
    sent = "".join(post.body.decode(errors="replace") for post in collector.posts)
    assert "***" in sent
    for text in (sent, Path(reports["metrics_file"]).read_text()):
        assert TOKEN not in text
        assert SECRET not in text
    assert "cannot send the message to the option notify_url: HTTP status 500" in caplog.text
    assert TOKEN not in f"{caplog.text}{raised.value}"
    own_log = "\n".join(each.getMessage() for each in caplog.records if each.name.startswith(("etl", "airflow")))
    assert SECRET not in own_log


def test_a_partial_run_sends_its_warnings(env: SyncEnv, reports: dict[str, Any], http_receiver: OtlpReceiver) -> None:
    env.registry.order = "shuffled"
    with pytest.raises(AirflowException):
        run(reports, {"page_size": 5})
    (message,) = messages(http_receiver)
    assert (message["status"], message["exit_code"], message["error"]) == ("partial", 3, None)
    assert "could not be proven complete" in message["text"]


def test_a_held_lock_is_counted_and_sends_no_message(
    env: SyncEnv, reports: dict[str, Any], http_receiver: OtlpReceiver
) -> None:
    with Store(env.url) as store:
        store.lock(ALL_REPOS, 0)
        with pytest.raises(AirflowException):
            run(reports, on_lock_held="retry")
    assert metric_values(reports)["tfy_etl_runs_total locked"] == 1
    assert messages(http_receiver) == []


def test_an_ml_repo_that_no_longer_exists_is_not_reported_if_it_is_skipped(
    env: SyncEnv, reports: dict[str, Any], collector: OtlpReceiver
) -> None:
    env.registry.delete_ml_repo("2")
    with pytest.raises(AirflowSkipException):
        run(reports, ml_repos=["2"], skip_unknown_ml_repos=True)
    assert run(reports, ml_repos=["2", "3"], skip_unknown_ml_repos=True)["ml_repo_ids"] == ["3"]
    assert messages(collector) == []
    assert [metric_values(reports, f'{{"ml_repos":[{ids}]}}') for ids in ('"2"', '"2","3"')] == [{}, {}]
    assert metric_values(reports, '{"ml_repos":["3"]}')["tfy_etl_last_run_exit_code"] == 0
    assert metrics(collector)["tfy_etl.last_run.exit_code "] == {(("scope", '{"ml_repos":["3"]}'),): 0}
    with pytest.raises(AirflowFailException):
        run(reports, ml_repos=["2", "3"])
    assert len(messages(collector)) == 1


@contextmanager
def signal_at_versions(env: SyncEnv, handler: Callable[[], None]) -> Iterator[None]:
    """Call `handler` in the main thread when the run reads versions, as a handler of Airflow does."""

    def send(_number: int, path: str, _query: dict[str, list[str]]) -> None:
        if path.endswith("/model-versions"):
            os.kill(os.getpid(), signal.SIGUSR1)

    old_handler = signal.signal(signal.SIGUSR1, lambda *_: handler())
    env.plane.before_request = send
    try:
        yield
    finally:
        env.plane.before_request = None
        signal.signal(signal.SIGUSR1, old_handler)


def test_a_task_that_times_out_is_reported_as_failed(
    env: SyncEnv, reports: dict[str, Any], http_receiver: OtlpReceiver
) -> None:
    def expire() -> None:
        raise AirflowTaskTimeout("Timeout")

    with signal_at_versions(env, expire), pytest.raises(AirflowTaskTimeout):
        run(reports)
    (message,) = messages(http_receiver)
    assert (message["status"], message["error"]) == ("failed", "The run was stopped by AirflowTaskTimeout.")
    assert metric_values(reports)["tfy_etl_runs_total failed"] == 1


def test_a_killed_task_is_counted_as_interrupted_and_sends_no_message(
    env: SyncEnv, reports: dict[str, Any], http_receiver: OtlpReceiver
) -> None:
    task = operator(options=reports)
    with signal_at_versions(env, task.on_kill), pytest.raises(AirflowException, match="Interrupted"):
        task.execute(context())
    assert metric_values(reports)["tfy_etl_runs_total interrupted"] == 1
    assert messages(http_receiver) == []


def test_a_failed_report_does_not_fail_the_task(
    env: SyncEnv, reports: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert run(reports, {"metrics_file": "/no/such/folder.prom"})["status"] == "succeeded"
    assert "cannot write the metrics to /no/such/folder.prom: the folder does not exist" in caplog.text


def test_a_dry_run_is_not_reported(env: SyncEnv, reports: dict[str, Any], collector: OtlpReceiver) -> None:
    run(reports, {"dry_run": True})
    assert collector.posts == []
    assert not Path(reports["metrics_file"]).exists()


def test_each_task_adds_its_scope_to_the_same_metrics_file(env: SyncEnv, reports: dict[str, Any]) -> None:
    synced = [run(reports, ml_repos=[each]) for each in ("1", "2", "3")]
    verify = TrueFoundryVerifyOperator(
        task_id="verify",
        truefoundry_conn_id="plane",
        database_conn_id="registry_db",
        listed=[["1"], ["2"], ["3"]],
        synced=synced,
        options=reports | {"page_size": 20},
    )
    verify.execute(context())
    assert metric_values(reports, '{"ml_repos":["2"]}')["tfy_etl_runs_total succeeded"] == 1
    assert metric_values(reports)["tfy_etl_last_run_exit_code"] == 0
    assert len(env.rows(SyncRun)) == 4
