"""Traces and metrics by OpenTelemetry: a span for the run, one for each phase, and counts at the end.

The SDK reads the endpoint, headers, certificates and attributes from its standard variables. The providers are not
global, because a program that runs tfy-etl from Python may configure its own.
"""

from collections.abc import Collection, Iterator
from threading import Thread

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracerProvider, Span, SpanKind, Status, StatusCode, set_span_in_context

import etl
from etl.telemetry.run_outcome import RunOutcome

TIMEOUT_SECONDS = 15.0
"""How long the end of a run waits, at most, until all data is sent."""

_MINUTES = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)


class OtlpExporter:
    """Exports one run, from its start to its end. It implements the protocol of a run's progress."""

    def __init__(self, signals: Collection[str], run_id: str, scope: str) -> None:
        """Start the run's span. `signals` are `traces`, `metrics` or both."""
        resource = Resource.create(
            {SERVICE_NAME: "tfy-etl", SERVICE_VERSION: etl.__version__}
            | dict(OTELResourceDetector().detect().attributes)
        )
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False) if "traces" in signals else None
        if self._tracers:
            self._tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        readers = [PeriodicExportingMetricReader(OTLPMetricExporter())] if "metrics" in signals else []
        self._meters = MeterProvider(readers, resource=resource, shutdown_on_exit=False) if readers else None
        self._tracer = (self._tracers or NoOpTracerProvider()).get_tracer("tfy-etl", etl.__version__)
        attributes = {"tfy_etl.run_id": run_id, "tfy_etl.scope": scope}
        self._run = self._tracer.start_span("tfy-etl sync", kind=SpanKind.INTERNAL, attributes=attributes)
        self._phase: Span | None = None
        self._pages = self._records = 0

    def phase(self, name: str) -> None:
        """End the span of the phase before, and start one."""
        self._end_phase()
        self._phase = self._tracer.start_span(name, context=set_span_in_context(self._run))

    def advance(self, entity: str, records: int, total: int | None) -> None:  # noqa: ARG002 the span has a name already
        """Count a page."""
        self._pages += 1
        self._records += records

    def end(self, run: RunOutcome) -> bool:
        """End the spans, count the run, and send the remaining data; return False on a timeout.

        The SDK logs all other failures.
        """
        if run.error is not None:
            for span in filter(None, (self._phase, self._run)):
                span.set_status(Status(StatusCode.ERROR, run.error))
        self._run.set_attributes(
            {
                "tfy_etl.status": run.status,
                "tfy_etl.exit_code": run.exit_code,
                "tfy_etl.requests": run.requests,
                "tfy_etl.retries": run.retries,
            }
        )
        self._count(run)
        return self.close()

    def close(self) -> bool:
        """End the spans, and send the remaining data; return False on a timeout."""
        self._end_phase()
        self._run.end()
        # In a thread, because the SDK may exceed the timeout that it is given.
        sending = Thread(target=self._shut_down, name="otlp", daemon=True)
        sending.start()
        sending.join(TIMEOUT_SECONDS)
        return not sending.is_alive()

    def _end_phase(self) -> None:
        if self._phase is not None:
            self._phase.set_attributes({"tfy_etl.pages": self._pages, "tfy_etl.records": self._records})
            self._phase.end()
        self._phase, self._pages, self._records = None, 0, 0

    def _count(self, run: RunOutcome) -> None:
        meter = (self._meters or NoOpMeterProvider()).get_meter("tfy-etl", etl.__version__)
        # Prometheus derives the names and labels of the metrics file from these: docs/monitoring/alerts.yml fits both.
        scope_attributes = {"scope": run.scope}
        run_attributes = scope_attributes | {"status": run.status}
        meter.create_counter("tfy_etl.runs", "{run}", "Runs by status.").add(1, run_attributes)
        meter.create_histogram(
            "tfy_etl.run.duration", "s", "Duration of runs.", explicit_bucket_boundaries_advisory=_MINUTES
        ).record(run.duration_s, run_attributes)
        records = meter.create_counter("tfy_etl.records", "{record}", "Records by outcome.")
        for entity, outcomes in run.records.items():
            for outcome, number in outcomes.items():
                records.add(number, scope_attributes | {"entity": entity, "outcome": outcome})
        for name, unit, description, number in (
            ("requests", "{request}", "HTTP requests, including retries.", run.requests),
            ("retries", "{request}", "HTTP requests that were retries.", run.retries),
            ("received", "By", "Bytes of HTTP responses received, before decompression.", run.bytes_received),
        ):
            meter.create_counter(f"tfy_etl.http.{name}", unit, description).add(number, scope_attributes)
        for name, unit, description, value in _gauges(run):
            meter.create_gauge(f"tfy_etl.{name}", unit, description).set(value, scope_attributes)

    def _shut_down(self) -> None:
        if self._tracers:
            self._tracers.shutdown()
        if self._meters:
            self._meters.shutdown()


def _gauges(run: RunOutcome) -> Iterator[tuple[str, str, str, float]]:
    """Yield name, unit, description and value; a run that found the lock held is not the last run."""
    if run.status != "locked":
        yield "last_run.timestamp", "s", "End time of the last run, since 1970.", run.finished_at.timestamp()
        yield "last_run.duration", "s", "Duration of the last run.", run.duration_s
        yield "last_run.exit_code", "", "Exit code of the last run.", run.exit_code
    if run.last_complete_at is not None:
        started = run.last_complete_at.timestamp()
        yield "last_complete_run.timestamp", "s", "Start time of the last complete run, since 1970.", started
