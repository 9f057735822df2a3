"""How a run went is told to whom the settings name: a file of metrics, an OTLP collector, a webhook.

Whatever goes wrong with that is logged, and changes neither the run nor its exit code.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from etl import current
from etl.cli.shown import shown, without_secrets
from etl.errors import ConfigError, EtlError, Interrupted, LockHeld
from etl.settings import Settings, otlp_signals
from etl.sync import Progress, Scope, Summary, Watch
from etl.telemetry import Report

if TYPE_CHECKING:  # an extra, which need not be there
    from etl.telemetry.otlp import Telling

_NO_NEWS = frozenset({0, LockHeld.exit_code})
"""Exit codes that nobody is told of: complete, and another run is at work."""

_log = logging.getLogger(__name__)


class _Both:
    """Two are told of a run's progress."""

    def __init__(self, one: Progress, other: Progress) -> None:
        """Both stay in use by others."""
        self._each = (one, other)

    def phase(self, name: str) -> None:
        """A new part of the run begins."""
        for each in self._each:
            each.phase(name)

    def advance(self, entity: str, records: int, total: int | None) -> None:
        """Records came."""
        for each in self._each:
            each.advance(entity, records, total)


class Eyes:
    """On one run. `summary` is set once it has come to its end."""

    def __init__(self, settings: Settings) -> None:
        """ConfigError where it could not be told where the settings say."""
        self.watch = Watch()
        self.summary: Summary | None = None
        self._settings = settings
        self._scope = without_secrets(Scope.of(settings).label())
        self._webhook = settings.webhook()
        self._telling = None if settings.dry_run else _otlp(self.watch.run_id, self._scope)

    def on(self, progress: Progress) -> Progress:
        """Progress that these eyes follow, too."""
        return progress if self._telling is None else _Both(progress, self._telling)

    def tell(self, error: EtlError | None) -> None:
        """The run has ended, in this error if in any that is known."""
        settings = self._settings
        report = self._report(error)
        if report is None or settings.dry_run:
            return
        if settings.metrics_file is not None:
            from etl.telemetry import metrics_file  # noqa: PLC0415 imported for who asks for it

            try:
                if not metrics_file.write(settings.metrics_file, report):
                    _log.warning("%s contained no metrics of tfy-etl: counters restart at zero", settings.metrics_file)
            except metrics_file.Unwritable as failure:
                _log.error("cannot write the metrics to %s: %s", settings.metrics_file, failure)
        if self._telling is not None and not self._telling.end(report):
            _log.error("sending the last traces and metrics timed out")
        if self._webhook is not None and report.exit_code not in _NO_NEWS:
            from etl.telemetry import webhook  # noqa: PLC0415 imported for who asks for it

            if failed := webhook.send(self._webhook, report, settings.ca_file()):
                _log.error("cannot send the message to --notify-url: %s", failed)

    def _report(self, error: EtlError | None) -> Report | None:
        """None for a run that never began."""
        watch, summary = self.watch, self.summary
        if watch.started_at is None or watch.finished_at is None:
            return None
        status, code, why = "failed", 1, "a bug in tfy-etl: see its log"
        if summary is not None:
            status, code = summary.status, summary.exit_code
        elif error is not None:
            status, code, why = status_of(error), error.exit_code, str(error)
        client = watch.client
        return Report(
            run_id=watch.run_id,
            scope=self._scope,
            status=status,
            exit_code=code,
            host=_host(self._settings),
            started_at=watch.started_at,
            finished_at=watch.finished_at,
            duration_s=watch.duration_s,
            requests=client.requests if client else 0,
            retries=client.retries if client else 0,
            bytes_received=client.bytes_received if client else 0,
            last_complete_at=watch.last_complete_at,
            error=None if summary else shown(why),
            warnings=tuple(map(shown, summary.warnings)) if summary else (),
            records={entity: _outcomes(tally._asdict()) for entity, tally in summary.tallies.items()}
            if summary
            else {},
        )


def status_of(error: EtlError) -> str:
    """How a run ended that ended so, in a word; of one that found the lock held there is no row to say it."""
    return "locked" if isinstance(error, LockHeld) else error.run_status


@contextmanager
def watched(settings: Settings) -> Iterator[Eyes]:
    """Eyes on the run that is made in here: from now on log lines name it, and its end is told however it ends."""
    eyes = Eyes(settings)
    current.process_is_for(eyes.watch.run_id)
    failed: EtlError | None = None
    try:
        yield eyes
    except EtlError as error:
        failed = error
        raise
    except KeyboardInterrupt as error:  # while it waited for the lock
        failed = Interrupted(str(error) or "Interrupted: nothing was written.")
        raise
    finally:
        eyes.tell(failed)


def _otlp(run_id: str, scope: str) -> "Telling | None":
    """Whom OpenTelemetry's standard variables name. A program's surroundings may set them for all: no error of ours."""
    try:
        signals = otlp_signals()
        if not signals:
            return None
        from etl.telemetry.otlp import Telling  # noqa: PLC0415 an extra, and it takes long to import

        return Telling(signals, run_id, scope)
    except ImportError:
        _log.warning("traces and metrics are not sent: run pip install 'tfy-etl[otel]'")
    except (ConfigError, ValueError, OSError, RuntimeError) as error:  # of the SDK, where a variable makes no sense
        _log.warning("traces and metrics are not sent: %s", error)
    return None


def _host(settings: Settings) -> str:
    try:
        return settings.base_url()
    except ConfigError:
        return ""


def _outcomes(tally: dict[str, int]) -> dict[str, int]:
    return {name: number for name, number in tally.items() if name != "seen"}
