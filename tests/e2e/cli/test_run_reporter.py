"""The command reports its runs to a metrics file, a webhook and an OpenTelemetry collector."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from etl.errors import missing_extra
from etl.simulator import MODELS, Registry, Simulator, fault
from etl.store import ALL_REPOS, Store
from tests.e2e.cli.commands import COMMAND, FAULTY, TOKEN, execute
from tests.e2e.cli.conftest import Cli
from tests.support.otlp_receiver import OtlpReceiver, metrics, receiver, spans
from tests.support.patience import patience

SECRET = "T0001/B0002/key-that-nobody-may-see"


@pytest.fixture
def http_receiver() -> Iterator[OtlpReceiver]:
    with receiver() as listening:
        yield listening


@pytest.fixture
def collector(http_receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> OtlpReceiver:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", http_receiver.url)
    return http_receiver


@pytest.fixture
def webhook(http_receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> OtlpReceiver:
    monkeypatch.setenv("TFY_ETL_NOTIFY_URL", f"{http_receiver.url}/{SECRET}")
    return http_receiver


@pytest.fixture
def metrics_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TFY_ETL_METRICS_FILE", "tfy-etl.prom")
    return folder / "tfy-etl.prom"


def metric_values(path: Path) -> dict[str, float]:
    """The samples of the scope `all`, by name and other labels."""
    samples = {}
    for family in text_string_to_metric_families(path.read_text()):
        for sample in family.samples:
            labels = {**sample.labels}
            if labels.pop("scope", None) == "all":
                samples[" ".join([sample.name, *labels.values()])] = sample.value
    return samples


def log_lines(err: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.splitlines()]


# Metrics in a file


def test_a_run_adds_its_metrics_to_the_file(metrics_file: Path, ready: Simulator, tfy_etl: Cli) -> None:
    result = json.loads(tfy_etl("sync", "--output", "json").out)
    metrics = metric_values(metrics_file)
    assert metrics["tfy_etl_runs_total succeeded"] == 1
    assert metrics["tfy_etl_records_total model_versions inserted"] == 12
    assert metrics["tfy_etl_http_requests_total"] == result["requests"]
    assert metrics["tfy_etl_http_received_bytes_total"] == result["bytes"]
    assert metrics["tfy_etl_last_run_exit_code"] == 0


def test_the_metrics_file_is_written_after_failed_runs(
    metrics_file: Path, ready: Simulator, registry: Registry, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tfy_etl("sync").code == 0
    first = metric_values(metrics_file)
    for model in registry.ids(MODELS)[:4]:
        registry.delete_model(model)
    assert tfy_etl("sync", "--full").code == 5
    assert metric_values(metrics_file)["tfy_etl_last_run_exit_code"] == 5
    monkeypatch.setenv("TFY_API_KEY", "not-the-token")
    assert tfy_etl("sync").code == 2
    monkeypatch.delenv("TFY_API_KEY")
    assert tfy_etl("sync").code == 2
    metrics = metric_values(metrics_file)
    assert (metrics["tfy_etl_runs_total succeeded"], metrics["tfy_etl_runs_total refused"]) == (1, 1)
    assert metrics["tfy_etl_runs_total failed"] == 2
    assert metrics["tfy_etl_last_run_exit_code"] == 2
    last_complete = "tfy_etl_last_complete_run_timestamp_seconds"
    assert metrics[last_complete] == first[last_complete]


def test_a_run_that_fails_with_a_bug_counts_as_failed(metrics_file: Path, ready: Simulator, folder: Path) -> None:
    assert execute(sys.executable, "-c", FAULTY, "sync", cwd=folder).code == 1
    assert metric_values(metrics_file)["tfy_etl_runs_total failed"] == 1


def test_an_interrupted_run_is_reported(metrics_file: Path, plane: Simulator, folder: Path) -> None:
    requested, release = threading.Event(), threading.Event()

    def hold(request: int, *_: object) -> None:
        if request > 1:
            requested.set()
            release.wait(patience())

    plane.before_request = hold
    environment = os.environ | {"TFY_HOST": plane.url, "TFY_API_KEY": TOKEN}
    process = subprocess.Popen([COMMAND, "sync"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert requested.wait(patience())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=patience())
    release.set()
    assert process.returncode == 130
    assert (
        metric_values(metrics_file)["tfy_etl_runs_total interrupted"],
        metric_values(metrics_file)["tfy_etl_last_run_exit_code"],
    ) == (1, 130)


def test_a_run_that_finds_the_lock_held_counts_as_locked_and_keeps_the_last_complete_run(
    metrics_file: Path, ready: Simulator, tfy_etl: Cli
) -> None:
    tfy_etl("sync")
    complete = metric_values(metrics_file)["tfy_etl_last_complete_run_timestamp_seconds"]
    with Store("sqlite:///tfy-registry.db") as store:
        store.lock(ALL_REPOS, 0)
        assert tfy_etl("sync").code == 4
    metrics = metric_values(metrics_file)
    assert (metrics["tfy_etl_runs_total locked"], metrics["tfy_etl_last_run_exit_code"]) == (1, 0)
    assert metrics["tfy_etl_last_complete_run_timestamp_seconds"] == complete


def test_the_time_of_the_last_complete_run_is_read_from_the_database(
    metrics_file: Path, ready: Simulator, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    tfy_etl("sync")
    before = metric_values(metrics_file)
    metrics_file.unlink()
    monkeypatch.setenv("TFY_API_KEY", "wrong")
    assert tfy_etl("sync").code == 2
    text = metrics_file.read_text()
    line = next(each for each in text.splitlines() if each.startswith("tfy_etl_last_complete_run_timestamp_seconds{"))
    assert float(line.split()[-1]) == pytest.approx(before["tfy_etl_last_complete_run_timestamp_seconds"])


def test_an_unwritable_metrics_file_changes_no_exit_code(ready: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", "--metrics-file", "no/such/folder.prom", "--log-level", "error")
    assert done.code == 0
    assert "cannot write the metrics to no/such/folder.prom: the folder does not exist" in done.err


def test_a_dry_run_is_not_reported(
    metrics_file: Path, ready: Simulator, webhook: OtlpReceiver, collector: OtlpReceiver, tfy_etl: Cli
) -> None:
    assert tfy_etl("sync", "--dry-run").code == 0
    assert not metrics_file.exists()
    assert webhook.posts == collector.posts == []


# Messages


@pytest.mark.parametrize("output", ["text", "json"])
def test_the_message_of_a_failed_run_has_its_error_line(
    output: str, ready: Simulator, webhook: OtlpReceiver, tfy_etl: Cli
) -> None:
    done = tfy_etl("sync", "--output", output, "--ml-repo", "no-such")
    assert done.code == 2
    (post,) = webhook.posts
    message = post.json()
    assert post.path == f"/{SECRET}"
    assert done.err.splitlines()[-1] == f"Error: {message['error']}"
    assert (message["status"], message["exit_code"], message["scope"]) == ("failed", 2, '{"ml_repos":["no-such"]}')
    assert message["host"] == ready.url


def test_the_message_of_a_partial_run_has_its_warnings(ready: Simulator, webhook: OtlpReceiver, tfy_etl: Cli) -> None:
    ready.faults = [fault("moving")]
    assert tfy_etl("sync", "--max-sweeps", "1", "--page-size", "2").code == 3
    message = webhook.posts[0].json()
    assert (message["status"], message["exit_code"], message["error"]) == ("partial", 3, None)
    assert "could not be proven complete" in message["text"]


def test_a_complete_run_and_a_held_lock_send_no_message(ready: Simulator, webhook: OtlpReceiver, tfy_etl: Cli) -> None:
    assert tfy_etl("sync").code == 0
    with Store("sqlite:///tfy-registry.db") as store:
        store.lock(ALL_REPOS, 0)
        assert tfy_etl("sync").code == 4
    assert webhook.posts == []


@pytest.mark.parametrize("status", [404, 500])
def test_a_failed_message_is_logged_and_keeps_the_exit_code(
    status: int, ready: Simulator, webhook: OtlpReceiver, tfy_etl: Cli
) -> None:
    webhook.status = status
    done = tfy_etl("sync", "--ml-repo", "no-such", "--log-level", "debug")
    assert done.code == 2
    assert f"cannot send the message to --notify-url: HTTP status {status}" in done.err


def test_messages_have_no_secret_and_log_lines_no_webhook_url(
    ready: Simulator, webhook: OtlpReceiver, tfy_etl: Cli
) -> None:
    webhook.status = 500
    done = tfy_etl("sync", "--ml-repo", f"{TOKEN} {SECRET}", "--log-level", "debug")
    (post,) = webhook.posts
    body = post.body.decode()
    assert "***" in body
    for secret in (TOKEN, SECRET, "key-that-nobody"):
        assert secret not in body
    assert SECRET not in done.out + done.err


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ftp://host.example/key-of-mine", "is not a valid URL"),
        ("https:///key-of-mine", "is not a valid URL"),
        ("http://host.example:port/key-of-mine", "is not a valid URL"),
        ("http://host.example/key-of-mine", "Plain HTTP to host.example would send the message"),
    ],
)
def test_an_invalid_webhook_url_exits_with_2_before_the_run(
    url: str, error: str, ready: Simulator, tfy_etl: Cli
) -> None:
    done = tfy_etl("sync", "--notify-url", url)
    assert done.code == 2
    assert error in done.err
    assert "key-of-mine" not in done.err
    assert ready.log == []


def test_the_webhook_url_is_read_from_option_environment_or_file_in_this_order(
    ready: Simulator, webhook: OtlpReceiver, folder: Path, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "etl.toml").write_text(f'notify-url = "{webhook.url}/of-file"\nmetrics-file = "of-file.prom"')
    failing = ("sync", "--ml-repo", "no-such", "--config", "etl.toml")
    tfy_etl(*failing, "--notify-url", f"{webhook.url}/of-option")
    tfy_etl(*failing)
    monkeypatch.delenv("TFY_ETL_NOTIFY_URL")
    tfy_etl(*failing)
    assert [post.path for post in webhook.posts] == ["/of-option", f"/{SECRET}", "/of-file"]
    assert (folder / "of-file.prom").exists()


# OpenTelemetry


def test_a_run_sends_its_traces_and_metrics(ready: Simulator, collector: OtlpReceiver, tfy_etl: Cli) -> None:
    result = json.loads(tfy_etl("sync", "--output", "json").out)
    run, *parts = spans(collector)
    assert run.attributes["tfy_etl.run_id"] == result["run_id"]
    assert [part.name for part in parts] == [
        "finding the API", "ML repos", "models", "versions", "comparing", "writing",
    ]  # fmt: skip
    assert {part.parent for part in parts} == {run.id}
    assert {part.name: part.attributes["tfy_etl.records"] for part in parts}["versions"] == 12
    samples = metrics(collector)
    assert samples["tfy_etl.http.requests {request}"] == {(("scope", "all"),): result["requests"]}
    of_models = (("entity", "models"), ("outcome", "inserted"), ("scope", "all"))
    assert samples["tfy_etl.records {record}"][of_models] == 6


def test_a_failed_run_sends_its_traces(ready: Simulator, collector: OtlpReceiver, tfy_etl: Cli) -> None:
    ready.faults = [fault("flaky_500:503,every=1")]
    assert tfy_etl("sync", "--max-retries", "0").code == 1
    run, part = spans(collector)
    assert run.error == part.error != ""
    assert run.attributes["tfy_etl.status"] == "failed"


@pytest.mark.parametrize(
    ("variables", "paths"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, set()),
        ({"OTEL_TRACES_EXPORTER": "none"}, {"/v1/metrics"}),
        ({"OTEL_METRICS_EXPORTER": "none"}, {"/v1/traces"}),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            {"/v1/traces", "/v1/metrics"},
        ),
    ],
)
def test_the_standard_variables_select_the_signals(
    *,
    variables: dict[str, str],
    paths: set[str],
    ready: Simulator,
    collector: OtlpReceiver,
    tfy_etl: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert tfy_etl("sync").code == 0
    assert {post.path for post in collector.posts} == paths


def test_an_unsupported_protocol_is_a_warning_and_the_run_continues(
    ready: Simulator, collector: OtlpReceiver, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    done = tfy_etl("sync")
    assert done.code == 0
    assert "traces and metrics are not sent: The OTLP protocol 'grpc' is not supported: use http/protobuf." in done.err
    assert collector.posts == []


@pytest.mark.parametrize("name", ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_METRICS_EXEMPLAR_FILTER"])
def test_an_invalid_variable_is_a_warning_and_the_run_continues(
    name: str, ready: Simulator, collector: OtlpReceiver, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "-1")
    done = tfy_etl("sync")
    assert done.code == 0
    assert "traces and metrics are not sent: " in done.err
    assert collector.posts == []


def test_a_missing_extra_is_a_warning_and_the_run_continues(
    ready: Simulator, collector: OtlpReceiver, folder: Path
) -> None:
    script = "import sys; sys.modules['opentelemetry'] = None; from etl.cli import main; main()"
    done = execute(sys.executable, "-c", script, "sync", cwd=folder)
    assert done.code == 0
    assert f"traces and metrics are not sent: {missing_extra('OpenTelemetry', 'otel')}" in done.err


def test_an_unreachable_collector_changes_no_exit_code(
    ready: Simulator, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    done = tfy_etl("sync", "--log-format", "json", "--output", "json")
    assert done.code == 0
    lines = log_lines(done.err)
    failures = [line for line in lines if line["level"] == "error"]
    assert failures
    assert all(line["logger"].startswith("opentelemetry.") for line in failures)  # the message differs between releases
    assert {line.get("run_id") for line in lines} == {json.loads(done.out)["run_id"]}
