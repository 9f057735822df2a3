"""Retries: which failures, how often, how long."""

import time as real_time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread
from typing import Any

import pytest
import stamina

from etl.errors import SourceUnavailable
from etl.source.exceptions import TransientError, Unreachable
from etl.source.retry import Retry, retry_after
from etl.source.throttle import Throttle
from tests.unit.source.conftest import Time
from tests.unit.source.planes import settings


def failing(throttle: Throttle, times: int, **pause: Any) -> Callable[[], str]:
    """A request that waits for a slot, and fails `times` times before it succeeds."""
    remaining = [times]

    def request() -> str:
        with throttle.slot():
            if remaining[0]:
                remaining[0] -= 1
                raise TransientError(f"stumbled, {remaining[0]} to go", **pause)
            return "answer"

    return request


def test_transient_failure_is_retried(throttle: Throttle) -> None:
    retry = Retry(settings(max_retries=3), throttle)

    assert retry.call(failing(throttle, 3)) == "answer"
    assert retry.retries == 3


def test_exhausted_retries_raise_an_error_with_count_and_cause(throttle: Throttle) -> None:
    retry = Retry(settings(max_retries=2), throttle)

    with pytest.raises(SourceUnavailable, match=r"no valid answer in 3 tries; the last: stumbled, 7 to go\. Check"):
        retry.call(failing(throttle, 10))


def test_request_without_retries_is_tried_once(throttle: Throttle) -> None:
    with pytest.raises(SourceUnavailable, match="in 1 try;"):
        Retry(settings(max_retries=0), throttle).call(failing(throttle, 1))


def test_other_failure_is_not_retried(throttle: Throttle) -> None:
    retry = Retry(settings(), throttle)

    with pytest.raises(ZeroDivisionError):
        retry.call(lambda: 1 / 0)
    assert retry.retries == 0


def test_retries_stop_at_the_time_limit(throttle: Throttle, time: Time) -> None:
    retry = Retry(settings(max_retries=99, max_retry_time=100), throttle)

    with pytest.raises(SourceUnavailable, match="in 4 tries"):
        retry.call(failing(throttle, 99, retry_after=30.0))
    assert time.now == 90


def test_pause_beyond_the_time_limit_is_not_started(throttle: Throttle, time: Time) -> None:
    with pytest.raises(SourceUnavailable, match="in 1 try"):
        Retry(settings(max_retry_time=10), throttle).call(failing(throttle, 1, retry_after=11.0))
    assert time.slept == []


def test_wait_for_the_first_slot_does_not_count_towards_the_time_limit(throttle: Throttle, time: Time) -> None:
    throttle.pause_for(1000)

    assert Retry(settings(max_retry_time=10), throttle).call(failing(throttle, 1, retry_after=10.0)) == "answer"
    assert time.slept == [1000, 10]


def test_retry_waits_as_long_as_the_server_asks(throttle: Throttle, time: Time) -> None:
    Retry(settings(), throttle).call(failing(throttle, 2, retry_after=7.0))

    assert time.slept == [7, 7]


def test_pauses_grow_and_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(real_time, "sleep", slept.append)
    steps = iter(range(0, 10_000, 31)).__next__  # a clock that jumps past every pause
    throttle = Throttle(4, clock=steps, sleep=slept.append)

    with stamina.set_testing(False):
        Retry(settings(max_retries=8, max_retry_time=2000), throttle).call(failing(throttle, 8))

    assert [0.5 * 2**n <= pause <= 0.5 * 2**n + 0.5 for n, pause in enumerate(slept[:6])] == [True] * 6
    assert slept[6:] == [30, 30]
    assert any(pause != 0.5 * 2**n for n, pause in enumerate(slept[:6]))


def test_each_retry_is_logged_with_its_cause_and_not_printed(
    throttle: Throttle, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    Retry(settings(), throttle).call(failing(throttle, 2))

    assert caplog.messages == [
        "stumbled, 1 to go; trying again in 0.0 s",
        "stumbled, 0 to go; trying again in 0.0 s",
    ]
    assert capsys.readouterr() == ("", "")


def test_pause_of_one_worker_holds_all_workers(throttle: Throttle, time: Time) -> None:
    retry = Retry(settings(max_retries=1), throttle)
    with pytest.raises(SourceUnavailable):
        retry.call(failing(throttle, 2, retry_after=20.0))

    other = Thread(target=retry.call, args=[failing(throttle, 0)])
    other.start()
    other.join()

    assert time.slept == [20, 20]


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("7", 7), ("0", None), ("0.0", None), ("1.5", 1.5), (" 7 ", 7), ("61", 60), ("999999999", 60),
        ("-1", None), ("", None), ("soon", None), ("nan", None), ("inf", None),
        ("1e3", None), ("9" * 400, None), ("\u0667", None),
        (format_datetime(NOW + timedelta(seconds=40), usegmt=True), 40),
        (format_datetime(NOW + timedelta(hours=2), usegmt=True), 60),
        (format_datetime(NOW - timedelta(seconds=1), usegmt=True), None),
        ("Sun, 99 Mar 2026 12:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_parsed_as_seconds_or_date_and_capped(header: str, pause: float | None) -> None:
    assert retry_after({"retry-after": header, "date": format_datetime(NOW, usegmt=True)}) == pause


def test_retry_after_date_without_a_date_header_gives_no_pause() -> None:
    assert retry_after({"retry-after": format_datetime(NOW, usegmt=True)}) is None


def test_missing_retry_after_gives_no_pause() -> None:
    assert retry_after({}) is None


def test_unreachable_host_is_tried_twice_within_moments_and_logged_at_level_info(
    throttle: Throttle, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    def request() -> str:
        with throttle.slot():
            raise Unreachable("Nothing listens: check the port")

    with caplog.at_level("INFO"), pytest.raises(SourceUnavailable, match=r"^Nothing listens: check the port\.$"):
        Retry(settings(), throttle).call(request)
    assert time.slept == [0.5]
    assert {record.levelname for record in caplog.records} == {"INFO"}


def test_a_slow_lookup_of_an_unknown_host_is_not_repeated(throttle: Throttle, time: Time) -> None:
    def request() -> str:
        time.now += 2
        raise Unreachable("The host is unknown: check the name")

    with pytest.raises(SourceUnavailable):
        Retry(settings(), throttle).call(request)
    assert time.now == 2


def test_stopped_retry_neither_retries_nor_logs(throttle: Throttle, caplog: pytest.LogCaptureFixture) -> None:
    retry = Retry(settings(), throttle)
    retry.stop()
    with pytest.raises(SourceUnavailable, match="in 1 try"):
        retry.call(failing(throttle, 1))
    assert caplog.messages == []
