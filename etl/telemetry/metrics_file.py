"""Metrics for Prometheus, in a file that the node exporter's textfile collector reads.

Prometheus cannot scrape a run that has ended, so the file keeps the metrics. Counters continue from their values in
the file, and the series of other scopes stay as they are: several jobs may share a file. The file is replaced
atomically; of a link, the file that it names. A lock file prevents jobs that end at the same time from losing each
other's counts.

A device or a pipe, such as /dev/stdout, is not read and not replaced: the metrics of the run are written to it.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from prometheus_client import CollectorRegistry, generate_latest, write_to_textfile
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

_PREFIX = "tfy_etl_"
_LOCK_SECONDS = 5.0
_MAX_BYTES = 16 * 2**20
"""The largest file that can be one of ours: each scope has some 40 lines."""

Labels = tuple[str, ...]
Series = dict[str, dict[Labels, float]]
"""Values by metric (counters without `_total`) and labels, in the order of the declarations above."""


class MetricsFileError(Exception):
    """The file could not be updated; the message says why."""


def write(path: Path, run: RunOutcome) -> bool:
    """Add a run to the file. Return False if its metrics were of another release, so that counters restarted at zero.

    Raises MetricsFileError.
    """
    try:
        if _is_stream(path):
            _write_in_place(path, generate_latest(_registry(_updated(defaultdict(dict), run))))
            return True
        target = path.resolve()
        if not target.parent.is_dir():  # to create it would hide a typing error
            raise MetricsFileError("the folder does not exist")
        with FileLock(f"{target}.lock", timeout=_LOCK_SECONDS):
            before, readable = _read(target)
            write_to_textfile(os.fspath(target), _registry(_updated(before, run)))
    except Timeout as error:
        raise MetricsFileError(f"another run has held its lock for {_LOCK_SECONDS:g} s") from error
    except (OSError, RuntimeError) as error:  # RuntimeError: the link leads to itself
        raise MetricsFileError(getattr(error, "strerror", None) or str(error)) from error
    return readable


def _is_stream(path: Path) -> bool:
    """Whether the path is a device or a pipe to write to. Raises MetricsFileError if it cannot be a metrics file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISCHR(mode) or stat.S_ISFIFO(mode):
        return True
    if not stat.S_ISREG(mode):
        raise MetricsFileError("it is a directory, a disk or a socket: name a file")
    return False


def _write_in_place(path: Path, text: bytes) -> None:
    """Write to a device or a pipe, without waiting for a reader."""
    handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(handle, "wb") as stream:
        stream.write(text)


def _read(path: Path) -> tuple[Series, bool]:
    """The series in the file, and whether they are of this release; a missing file is.

    Raises MetricsFileError for a file of anything else, which a typing error may name: it must not be replaced.
    """
    series: Series = defaultdict(dict)
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return series, True
    try:
        families = [] if len(text) > _MAX_BYTES else list(text_string_to_metric_families(text.decode()))
    except (ValueError, KeyError):
        families = []
    if text.strip() and not any(family.name.startswith(_PREFIX) for family in families):
        raise MetricsFileError("it is not a metrics file of tfy-etl: name another file, or remove it")
    if foreign := next((family.name for family in families if not family.name.startswith(_PREFIX)), None):
        raise MetricsFileError(f"it also has metrics of other programs, such as {foreign}: name another file")
    try:
        for family in families:
            _declared, names = COUNTERS.get(family.name) or GAUGES.get(family.name) or ("", ())
            for sample in family.samples if names else ():
                series[family.name][tuple(sample.labels[name] for name in names)] = sample.value
    except KeyError:  # a label of another release
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
