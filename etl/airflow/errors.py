"""How a run's end becomes a task's end, by what is to be done next.

LockHeld                        skipped, rescheduled, or retried, as the task was told
ConfigError, MassDelete         failed without retry: somebody has to change something first
any other EtlError              failed, tried again as the task's retries say
partial, not proven complete    the same, unless the task was told to let it pass
partial, with rejected records  failed without retry, unless it was told so
"""

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

from etl.errors import ConfigError, DeleteLimitExceeded, EtlError, LockHeld
from etl.redaction import secret_pattern

if TYPE_CHECKING:
    from etl.sync import Summary

ON_LOCK_HELD = ("skip", "reschedule", "retry")


@contextmanager
def translate_errors(
    secrets: Sequence[str], *, on_lock_held: str = "retry", wait: timedelta = timedelta()
) -> Iterator[None]:
    """What ends the run in here ends the task; its line is told without the secrets, and without what caused it.

    A cause quotes what a driver was given. `wait` is for how long a task goes that is rescheduled.
    """
    try:
        yield
    except EtlError as error:
        line = secret_pattern(*secrets).sub("***", str(error))
        if isinstance(error, ConfigError | DeleteLimitExceeded):
            raise AirflowFailException(line) from None
        if isinstance(error, LockHeld) and on_lock_held == "skip":
            raise AirflowSkipException(line) from None
        if isinstance(error, LockHeld) and on_lock_held == "reschedule":
            raise AirflowRescheduleException(timezone.utcnow() + wait) from None
        raise AirflowException(line) from None


def fail_if_partial(summary: "Summary", warnings: Sequence[str]) -> None:
    """End the task when the run was partial: another try may prove what this one could not, but mends no record.

    The `warnings` are the summary's, without secrets.
    """
    if not summary.complete:
        raise AirflowException(f"The run was not proven complete: {' '.join(warnings)}")
    if summary.rejected:
        raise AirflowFailException(
            f"{summary.rejected} {'record' if summary.rejected == 1 else 'records'} rejected: "
            "list the reasons with tfy-etl rejected list."
        )
