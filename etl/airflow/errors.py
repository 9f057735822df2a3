"""The state of a task after a run that failed or was partial.

- LockHeld: skipped, rescheduled or retried, by the task's `on_lock_held`.
- ConfigError and DeleteLimitExceeded: failed without retry, because somebody must change something first.
- Any other EtlError: failed, and retried as the task's `retries` say.
- Partial, until less coverage is accepted: failed without retry, unless `fail_on_partial` is off.
- Partial, not proven complete: failed, and retried, unless `fail_on_partial` is off.
- A dry run that the delete limit refuses: failed without retry.
- Partial, with rejected records: failed without retry, unless `fail_on_partial` is off.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import timezone
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)

from etl.durations import format_duration
from etl.enums import RunStatus
from etl.errors import ConfigError, DeleteLimitExceeded, EtlError, LockHeld
from etl.redaction import mask

if TYPE_CHECKING:
    from etl.sync import Summary

_log = logging.getLogger(__name__)

ON_LOCK_HELD = ("skip", "reschedule", "retry")


@contextmanager
def translate_errors(
    secrets: Sequence[str], *, on_lock_held: str = "retry", wait: timedelta = timedelta()
) -> Iterator[None]:
    """Translate errors of a run into those of Airflow, without the secrets and without the cause.

    The cause may quote the arguments of a driver. `wait` is the delay of a task that is rescheduled.
    """
    try:
        yield
    except EtlError as error:
        line = mask(str(error), secrets)
        if isinstance(error, ConfigError | DeleteLimitExceeded):
            raise AirflowFailException(line) from None
        if isinstance(error, LockHeld) and on_lock_held == "skip":
            raise AirflowSkipException(line) from None
        if isinstance(error, LockHeld) and on_lock_held == "reschedule":
            _log.info("%s The task is tried again in %s.", line, format_duration(wait))
            raise AirflowRescheduleException(timezone.utcnow() + wait) from None
        raise AirflowException(line) from None


def fail_if_not_complete(summary: "Summary", warnings: Sequence[str], *, fail_on_partial: bool) -> None:
    """Fail the task if the delete limit refused the dry run, and, with `fail_on_partial`, if the run was partial.

    A retry may prove completeness, but neither fixes rejected records nor restores a permission. The `warnings` are the
    summary's, without secrets.
    """
    if summary.status is RunStatus.REFUSED:
        raise AirflowFailException(warnings[-1])
    if not fail_on_partial:
        return
    if summary.needs_acceptance:
        raise AirflowFailException(" ".join(warnings))
    if not summary.complete:
        raise AirflowException(f"The run was not proven complete: {' '.join(warnings)}")
    if summary.rejected:
        raise AirflowFailException(
            f"{summary.rejected} {'record' if summary.rejected == 1 else 'records'} rejected: "
            "list the reasons with tfy-etl rejected list."
        )
