"""Retry transient failures, and pause all workers between tries."""

import logging
import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import TypeVar

import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from etl.errors import SourceUnavailable
from etl.settings import Settings
from etl.source.exceptions import TransientError, Unreachable
from etl.source.throttle import Throttle

MAX_RETRY_AFTER = 60.0
"""Maximum pause in seconds that a server can request with Retry-After."""

_FIRST_WAIT, _LONGEST_WAIT, _JITTER = 0.5, 30.0, 0.5
_UNREACHABLE_S = 0.7
"""Seconds after which a first request that found no server is not sent again."""

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Retry:
    """Retries transient failures, within limits on attempts and time."""

    def __init__(self, settings: Settings, throttle: Throttle) -> None:
        """Take the limits from the settings; all workers share the throttle."""
        self.retries = 0
        self._attempts = settings.max_retries + 1
        self._seconds = settings.max_retry_time
        self._throttle = throttle
        self._lock = Lock()
        self._stopped = False

    def stop(self) -> None:
        """Retry nothing from now on."""
        self._stopped = True

    def call(self, request: Callable[[], T]) -> T:
        """Call, and retry on TransientError; SourceUnavailable once a limit is reached."""
        began = self._throttle.clock()
        failed: float | None = None

        def pause(error: Exception) -> bool | float:
            """Whether to retry: a number is the server's pause, True means stamina's back-off."""
            if not isinstance(error, TransientError):
                return False
            nonlocal failed
            now = self._throttle.clock()
            failed = now if failed is None else failed  # the time limit excludes waiting for a slot
            wait = attempt.next_wait if error.retry_after is None else error.retry_after
            if now + wait > failed + self._seconds or self._stopped:
                return False
            if isinstance(error, Unreachable) and now + wait > began + _UNREACHABLE_S:
                return False
            self._throttle.pause_for(wait)
            return True if error.retry_after is None else wait

        try:
            for attempt in stamina.retry_context(
                on=pause, attempts=self._attempts, timeout=None,
                wait_initial=_FIRST_WAIT, wait_max=_LONGEST_WAIT, wait_jitter=_JITTER,
            ):  # fmt: skip
                with attempt:
                    self._count(attempt.num)
                    return request()
        except Unreachable as last:
            raise SourceUnavailable(f"{last}.") from last
        except TransientError as last:
            tries = "1 try" if attempt.num == 1 else f"{attempt.num} tries"
            raise SourceUnavailable(
                f"The control plane gave no valid answer in {tries}; the last: {last}. "
                f"{last.advice[0].upper()}{last.advice[1:]}."
            ) from last
        raise AssertionError  # for the type checker: the loop returns or raises

    def _count(self, attempt: int) -> None:
        if attempt > 1:
            with self._lock:
                self.retries += 1


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The pause in seconds that a Retry-After header asks for, capped; None without one.

    A date counts from the answer's own Date header, so neither clock needs to be correct.
    """
    asked = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", asked, re.ASCII):
        pause = float(asked)
    else:
        try:
            now, until = (parsedate_to_datetime(date) for date in (headers.get("date", ""), asked))
            pause = until.timestamp() - now.timestamp()
        except (ValueError, OverflowError):
            return None
    # "0" asks for no pause, but the usual one is kinder to both sides than an immediate retry.
    return min(pause, MAX_RETRY_AFTER) if pause > 0 else None


def _log_retry(details: RetryDetails) -> None:
    # Log text only: a log record with the error would keep its frames, and so pages and token, in memory.
    level = logging.INFO if isinstance(details.caused_by, Unreachable) else logging.WARNING
    _log.log(level, "%s; trying again in %.1f s", str(details.caused_by), details.wait_for)


# By default stamina logs with structlog, which prints to stdout; stdout is reserved for results.
set_on_retry_hooks([_log_retry])
