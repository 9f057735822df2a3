"""Metrics for Prometheus, in a file that the node exporter's textfile collector reads.

A run is over before anybody could ask it for its metrics, so the file is where they live on. Counters go on from what
the file says, and the series of other scopes stay as they are: one file may serve several jobs. It is replaced in one
step, and a lock beside it keeps jobs that end at the same time from losing each other's counts.
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
"""Values by metric (counters without their `_total`) and labels, in the order in which they are declared above."""


class MetricsFileError(Exception):
    """The file could not be brought up to date; the message says why."""


def write(path: Path, run: RunOutcome) -> bool:
    """Add what a run did to the file. False when what was there could not be read, so that counting began anew.

    Raises Unwritable.
    """
    if not path.parent.is_dir():  # to make one for a slip of the fingers would hide it
        raise MetricsFileError("the folder does not exist")
    try:
        with FileLock(f"{path}.lock", timeout=_LOCK_SECONDS):
            before, sound = _read(path)
            write_to_textfile(os.fspath(path), _registry(_updated(before, run)))
    except Timeout as error:
        raise MetricsFileError(f"another run has held its lock for {_LOCK_SECONDS:g} s") from error
    except OSError as error:
        raise MetricsFileError(error.strerror or str(error)) from error
    return sound


def _read(path: Path) -> tuple[Series, bool]:
    """What the file says, and whether that could be read."""
    series: Series = defaultdict(dict)
    try:
        families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
        for family in families:
            _declared, names = COUNTERS.get(family.name) or GAUGES.get(family.name) or ("", ())
            for sample in family.samples if names else ():
                series[family.name][tuple(sample.labels[name] for name in names)] = sample.value
    except FileNotFoundError:
        return series, True
    except (ValueError, KeyError):  # text of no such form, or another release's
        return defaultdict(dict), False
    return series, True


def _updated(series: Series, run: RunOutcome) -> Series:
    """The series after this run. Every series of the scope is there from its first run on: what is 0 can be watched."""
    scope = run.scope
    for name, labels, value in _counter_values(run):
        series[name][labels] = series[name].get(labels, 0.0) + value
    if run.status != "locked":  # which says nothing of how the last run went
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
    for entity in ("ml_repos", "models", "model_versions"):
        for outcome in OUTCOMES:
            yield "tfy_etl_records", (scope, entity, outcome), run.records.get(entity, {}).get(outcome, 0)
    yield "tfy_etl_http_requests", (scope,), run.requests
    yield "tfy_etl_http_retries", (scope,), run.retries
    yield "tfy_etl_http_received_bytes", (scope,), run.bytes_received


class _Families(Collector):
    """Series as the library writes them."""

    def __init__(self, series: Series) -> None:
        self._series = series

    def collect(self) -> Iterable[Metric]:
        for kind, declared in ((CounterMetricFamily, COUNTERS), (GaugeMetricFamily, GAUGES)):
            for name, (what, labels) in declared.items():
                family = kind(name, what, labels=labels)
                for values, value in self._series.get(name, {}).items():
                    family.add_metric(values, value)
                yield family


def _registry(series: Series) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(series))
    return registry
