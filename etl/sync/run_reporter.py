"""Report the end of a run to the metrics file, the webhook and the OTLP collector, if configured.

The command line and the operators of Airflow use it. A failure of a report is logged. It changes neither the run nor
its exit code.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl import run_context
from etl.enums import Entity
from etl.environment import otlp_signals
from etl.errors import ConfigError, EtlError, Interrupted, LockHeld, missing_extra
from etl.redaction import escape_unprintable
from etl.setting_names import name_of
from etl.settings import Settings
from etl.sync.context import Progress
from etl.sync.monitor import RunMonitor
from etl.sync.scope import Scope
from etl.sync.summary import Summary
from etl.telemetry import RunOutcome

if TYPE_CHECKING:  # an optional dependency
    from etl.telemetry.otlp import OtlpExporter

_SILENT_EXIT_CODES = frozenset({0, LockHeld.exit_code, Interrupted.exit_code})
"""Exit codes without a webhook message: complete, another run holds the lock, and interrupted."""

_log = logging.getLogger(__name__)


class _ProgressPair:
    """Forward progress to two receivers."""

    def __init__(self, one: Progress, other: Progress) -> None:
        self._each = (one, other)

    def phase(self, name: str) -> None:
        """Begin a phase of the run."""
        for each in self._each:
            each.phase(name)

    def advance(self, entity: Entity, records: int, total: int | None) -> None:
        """Count the records of a page."""
        for each in self._each:
            each.advance(entity, records, total)


class RunReporter:
    """Reports one run. The caller sets `summary` when the run has ended.

    A caller that handles the error of a run clears `is_reported`: then only a trace is left of it. It sets `stopped_by`
    for an error of its own.
    """

    def __init__(self, settings: Settings, redact: Callable[[str], str]) -> None:
        """Raise ConfigError if the webhook's URL is invalid."""
        self.monitor = RunMonitor()
        self.summary: Summary | None = None
        self.is_reported = True
        self.stopped_by: EtlError | None = None
        self._settings = settings
        self._redact = redact
        self._scope = redact(Scope.of(settings).label())
        self._webhook = settings.webhook_url()
        self._otlp = None if settings.dry_run else _otlp_exporter(self.monitor.run_id, self._scope)

    def wrap_progress(self, progress: Progress) -> Progress:
        """Forward progress to the OTLP exporter too, if there is one."""
        return progress if self._otlp is None else _ProgressPair(progress, self._otlp)

    def report(self, error: EtlError | None) -> None:
        """Report the end of the run, with the error that ended it, if known."""
        outcome = self._outcome(error)
        if outcome is None or self._settings.dry_run or not self.is_reported:
            if self._otlp is not None:
                self._otlp.close()
            return
        self._write_metrics(outcome)
        if self._otlp is not None and not self._otlp.end(outcome):
            _log.error("sending the last traces and metrics timed out")
        self._send_message(outcome)

    def _write_metrics(self, outcome: RunOutcome) -> None:
        path = self._settings.metrics_file
        if path is None:
            return
        from etl.telemetry import metrics_file  # noqa: PLC0415 most runs do not need it

        try:
            if not metrics_file.write(path, outcome):
                _log.warning("%s contained metrics of another release: counters restart at zero", path)
        except metrics_file.MetricsFileError as failure:
            _log.error("cannot write the metrics to %s: %s", path, failure)

    def _send_message(self, outcome: RunOutcome) -> None:
        if self._webhook is None or outcome.exit_code in _SILENT_EXIT_CODES:
            return
        from etl.telemetry import webhook  # noqa: PLC0415 most runs do not need it

        if failure := webhook.send(self._webhook, outcome, self._settings.ca_file()):
            _log.error("cannot send the message to %s: %s", name_of("notify_url"), failure)

    def _outcome(self, error: EtlError | None) -> RunOutcome | None:
        """How the run ended; None if it did not start."""
        monitor, summary = self.monitor, self.summary
        if monitor.started_at is None or monitor.finished_at is None:
            return None
        status, code, reason = "failed", 1, "a bug in tfy-etl: see its log"
        if summary is not None:
            status, code = summary.status, summary.exit_code
        elif error is not None:
            status, code, reason = status_of(error), error.exit_code, str(error)
        client = monitor.client
        return RunOutcome(
            run_id=monitor.run_id,
            scope=self._scope,
            status=status,
            exit_code=code,
            host=_host(self._settings),
            started_at=monitor.started_at,
            finished_at=monitor.finished_at,
            duration_s=monitor.duration_s,
            requests=client.requests if client else 0,
            retries=client.retries if client else 0,
            bytes_received=client.bytes_received if client else 0,
            last_complete_at=monitor.last_complete_at,
            error=None if summary else self._clean(reason),
            warnings=tuple(map(self._clean, summary.warnings)) if summary else (),
            records=_counts(summary) if summary else {},
        )

    def _clean(self, text: str) -> str:
        return escape_unprintable(self._redact(text))


def status_of(error: EtlError) -> str:
    """The status of a run that this error ended; `locked` exists only here, because such a run has no row."""
    return "locked" if isinstance(error, LockHeld) else error.run_status


@contextmanager
def run_reporter(settings: Settings, redact: Callable[[str], str]) -> Iterator[RunReporter]:
    """Report the run that is made inside, however it ends. `redact` removes the secrets from a text."""
    reporter = RunReporter(settings, redact)
    failure: EtlError | None = None
    try:
        yield reporter
    except EtlError as error:
        failure = error
        raise
    except OSError as error:  # such as a full disk
        failure = EtlError(f"{error}. Fix this, then run again.")
        raise
    except KeyboardInterrupt as error:  # while the run waited for the lock
        failure = Interrupted(str(error) or "Interrupted: no record was written.")
        raise
    finally:
        with run_context.use_run_id(reporter.monitor.run_id):
            reporter.report(failure or reporter.stopped_by)


def _otlp_exporter(run_id: str, scope: str) -> "OtlpExporter | None":
    """The exporter that OpenTelemetry's standard variables configure.

    Problems are warnings only, because the variables may be set for other programs.
    """
    try:
        signals = otlp_signals()
        if not signals:
            return None
        from etl.telemetry.otlp import OtlpExporter  # noqa: PLC0415 optional, and slow to import

        return OtlpExporter(signals, run_id, scope)
    except ImportError:
        _log.warning("traces and metrics are not sent: %s", missing_extra("OpenTelemetry", "otel"))
    except (ConfigError, ValueError, OSError, RuntimeError) as error:  # the SDK raises these for invalid variables
        _log.warning("traces and metrics are not sent: %s", error)
    return None


def _host(settings: Settings) -> str:
    try:
        return settings.base_url()
    except ConfigError:
        return ""


def _counts(summary: Summary) -> dict[str, dict[str, int]]:
    """The summary's counts by entity and outcome."""
    return {
        entity: {name: number for name, number in tally._asdict().items() if name != "seen"}
        for entity, tally in summary.tallies.items()
    }
