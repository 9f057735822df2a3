"""Metrics for Prometheus, in a file that the node exporter's textfile collector reads.

Prometheus cannot scrape a run that has ended, so the file keeps the metrics. Counters continue from their values in
the file, and the series of other scopes stay as they are: several jobs may share a file. The file is replaced
atomically. A lock file prevents jobs that end at the same time from losing each other's counts.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

import etl
from etl.enums import Entity
from etl.telemetry.run_outcome import OUTCOMES, STATUSES, RunOutcome

COUNTERS = {
    "tfy_etl_runs": ("Runs by status; locked: another run held the lock.", ("scope", "status")),
    "tfy_etl_records": ("Records by outcome.", ("scope", "entity", "outcome")),
    "tfy_etl_http_requests": ("HTTP requests, including retries.", ("scope",)),
    "tfy_etl_http_retries": ("HTTP requests that were retries.", ("scope",)),
    "tfy_etl_http_received_bytes": ("Bytes of HTTP responses received, before decompression.", ("scope",)),
}
GAUGES = {
    "tfy_etl_last_run_timestamp_seconds": ("End time of the last run.", ("scope",)),
    "tfy_etl_last_run_duration_seconds": ("Duration of the last run, including its wait for the lock.", ("scope",)),
    "tfy_etl_last_run_exit_code": ("Exit code of the last run.", ("scope",)),
    "tfy_etl_last_complete_run_timestamp_seconds": ("Start time of the last complete run.", ("scope",)),
    "tfy_etl_build_info": ("Version of tfy-etl that wrote the file.", ("version",)),
}

_LOCK_SECONDS = 5.0

Labels = tuple[str, ...]
Series = dict[str, dict[Labels, float]]
"""Values by metric (counters without `_total`) and labels, in the order of the declarations above."""


class MetricsFileError(Exception):
    """The file could not be updated; the message says why."""


def write(path: Path, run: RunOutcome) -> bool:
    """Add a run to the file. Return False if the old file was unreadable, so that counters restarted at zero.

    Raises MetricsFileError.
    """
    if not path.parent.is_dir():  # to create it would hide a typing error
        raise MetricsFileError("the folder does not exist")
    try:
        with FileLock(f"{path}.lock", timeout=_LOCK_SECONDS):
            before, readable = _read(path)
            write_to_textfile(os.fspath(path), _registry(_updated(before, run)))
    except Timeout as error:
        raise MetricsFileError(f"another run has held its lock for {_LOCK_SECONDS:g} s") from error
    except OSError as error:
        raise MetricsFileError(error.strerror or str(error)) from error
    return readable


def _read(path: Path) -> tuple[Series, bool]:
    """The series in the file, and whether the file was readable; a missing file is."""
    series: Series = defaultdict(dict)
    try:
        families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
        for family in families:
            _declared, names = COUNTERS.get(family.name) or GAUGES.get(family.name) or ("", ())
            for sample in family.samples if names else ():
                series[family.name][tuple(sample.labels[name] for name in names)] = sample.value
    except FileNotFoundError:
        return series, True
    except (ValueError, KeyError):  # not a metrics file, or one of another release
        return defaultdict(dict), False
    return series, True


def _updated(series: Series, run: RunOutcome) -> Series:
    """The series after this run: all series of its scope, even those that are zero, so that alerts can use them."""
    scope = run.scope
    for name, labels, value in _counter_values(run):
        series[name][labels] = series[name].get(labels, 0.0) + value
    if run.status != "locked":  # then the values of the last run that did start stay
        series["tfy_etl_last_run_timestamp_seconds"][scope,] = run.finished_at.timestamp()
        series["tfy_etl_last_run_duration_seconds"][scope,] = run.duration_s
        series["tfy_etl_last_run_exit_code"][scope,] = run.exit_code
    if run.last_complete_at is not None:
        series["tfy_etl_last_complete_run_timestamp_seconds"][scope,] = run.last_complete_at.timestamp()
    series["tfy_etl_build_info"] = {(etl.__version__,): 1.0}
    return series


def _counter_values(run: RunOutcome) -> Iterator[tuple[str, Labels, float]]:
    scope = run.scope
    for status in STATUSES:
        yield "tfy_etl_runs", (scope, status), float(status == run.status)
    for entity in Entity:
        for outcome in OUTCOMES:
            yield "tfy_etl_records", (scope, entity, outcome), run.records.get(entity, {}).get(outcome, 0)
    yield "tfy_etl_http_requests", (scope,), run.requests
    yield "tfy_etl_http_retries", (scope,), run.retries
    yield "tfy_etl_http_received_bytes", (scope,), run.bytes_received


class _Families(Collector):
    """A collector of the series, for the library's writer."""

    def __init__(self, series: Series) -> None:
        self._series = series

    def collect(self) -> Iterable[Metric]:
        for kind, declared in ((CounterMetricFamily, COUNTERS), (GaugeMetricFamily, GAUGES)):
            for name, (description, labels) in declared.items():
                family = kind(name, description, labels=labels)
                for values, value in self._series.get(name, {}).items():
                    family.add_metric(values, value)
                yield family


def _registry(series: Series) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(series))
    return registry
