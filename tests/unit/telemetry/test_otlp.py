import threading
from collections.abc import Iterator

import pytest

from etl.telemetry import otlp
from etl.telemetry.metrics_file import COUNTERS, GAUGES
from etl.telemetry.otlp import OtlpExporter
from tests.support.otlp_receiver import OtlpReceiver, metrics, receiver, spans
from tests.support.patience import patience
from tests.unit.telemetry.outcomes import FINISHED, STARTED, outcome

BOTH = frozenset({"traces", "metrics"})


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpReceiver]:
    """A collector at the address in the OTEL_* variables."""
    with receiver() as listening:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", listening.url)
        yield listening


def export_run(signals: frozenset[str] = BOTH, **fields: object) -> bool:
    """Export a run of two phases."""
    exporter = OtlpExporter(signals, "1f0c", "all")
    exporter.phase("models")
    exporter.advance("models", 20, 30)
    exporter.advance("models", 10, None)
    exporter.phase("writing")
    return exporter.end(outcome(**fields))


def test_a_run_is_a_span_with_a_child_for_each_phase(collector: OtlpReceiver) -> None:
    assert export_run()
    run, models, writing = spans(collector)
    assert [run.name, models.name, writing.name] == ["tfy-etl sync", "models", "writing"]
    assert (run.parent, models.parent, writing.parent) == (b"", run.id, run.id)
    assert run.attributes == {
        "tfy_etl.run_id": "1f0c",
        "tfy_etl.scope": "all",
        "tfy_etl.status": "succeeded",
        "tfy_etl.exit_code": 0,
        "tfy_etl.requests": 4,
        "tfy_etl.retries": 1,
    }
    assert models.attributes == {"tfy_etl.pages": 2, "tfy_etl.records": 30}
    assert writing.attributes == {"tfy_etl.pages": 0, "tfy_etl.records": 0}
    assert {span.error for span in (run, models, writing)} == {""}


def test_an_error_is_recorded_on_the_run_and_on_its_last_phase(collector: OtlpReceiver) -> None:
    export_run(status="failed", exit_code=1, error="The database failed.")
    run, models, writing = spans(collector)
    assert (run.error, models.error, writing.error) == ("The database failed.", "", "The database failed.")


def test_metrics_have_units_and_descriptions(collector: OtlpReceiver) -> None:
    export_run()
    found = metrics(collector)
    of_scope = (("scope", "all"),)
    of_run = (*of_scope, ("status", "succeeded"))
    assert found == {
        "tfy_etl.runs {run}": {of_run: 1},
        "tfy_etl.run.duration s": {of_run: 30.5},
        "tfy_etl.records {record}": {
            (("entity", "models"), ("outcome", "inserted"), *of_scope): 3,
            (("entity", "models"), ("outcome", "rejected"), *of_scope): 1,
        },
        "tfy_etl.http.requests {request}": {of_scope: 4},
        "tfy_etl.http.retries {request}": {of_scope: 1},
        "tfy_etl.http.received By": {of_scope: 1000},
        "tfy_etl.last_run.timestamp s": {of_scope: FINISHED.timestamp()},
        "tfy_etl.last_run.duration s": {of_scope: 30.5},
        "tfy_etl.last_run.exit_code ": {of_scope: 0},
        "tfy_etl.last_complete_run.timestamp s": {of_scope: STARTED.timestamp()},
    }


def prometheus_name(name_and_unit: str) -> str:
    """Return the name that Prometheus gives to a metric, by OpenTelemetry's rules of compatibility."""
    name, unit = name_and_unit.split(" ")
    suffix = {"s": "_seconds", "By": "_bytes"}.get(unit, "")
    return f"{name.replace('.', '_')}{suffix}"


def test_prometheus_gives_gauges_and_counters_the_names_of_the_metrics_file(collector: OtlpReceiver) -> None:
    export_run()
    names = {prometheus_name(each) for each in metrics(collector)} - {"tfy_etl_run_duration_seconds"}
    assert names == {*GAUGES, *COUNTERS} - {"tfy_etl_build_info"}


def test_without_a_complete_run_its_time_is_not_sent(collector: OtlpReceiver) -> None:
    export_run(last_complete_at=None, status="failed", exit_code=1)
    assert "tfy_etl.last_complete_run.timestamp s" not in metrics(collector)


def test_a_run_that_found_the_lock_held_is_not_the_last_run(collector: OtlpReceiver) -> None:
    export_run(status="locked", exit_code=4)
    assert not any(name.startswith("tfy_etl.last_run.") for name in metrics(collector))


@pytest.mark.parametrize(("signal", "path"), [("traces", "/v1/traces"), ("metrics", "/v1/metrics")])
def test_only_enabled_signals_are_sent(signal: str, path: str, collector: OtlpReceiver) -> None:
    export_run(frozenset({signal}))
    assert {post.path for post in collector.posts} == {path}


def test_otel_variables_apply(collector: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of-mine")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    export_run()
    assert {post.headers["x-key"] for post in collector.posts} == {"of-mine"}
    assert {post.headers["Content-Encoding"] for post in collector.posts} == {"gzip"}
    resource = spans(collector)[0].resource
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("tfy-etl", "staging")
    assert resource["service.version"]
    monkeypatch.setenv("OTEL_SERVICE_NAME", "registry-copy")
    export_run()
    assert {span.resource["service.name"] for span in spans(collector)} == {"tfy-etl", "registry-copy"}


def test_a_silent_collector_times_out(collector: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    collector.drips = True
    assert not export_run()
    collector.stopped.set()
    for sending in threading.enumerate():  # or its log lines would appear in other tests
        if sending.name == "otlp":
            sending.join(patience())
