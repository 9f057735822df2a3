"""Properties of the throttle that all workers share, and its log lines."""

import logging
import time as real_time
from contextlib import suppress
from threading import Barrier, Event, Lock, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceUnavailable
from etl.source.exceptions import TransientError
from etl.source.retry import Retry
from etl.source.throttle import _LONGEST_SLEEP, Throttle
from tests.support.patience import patience
from tests.unit.source.conftest import Time
from tests.unit.source.planes import settings


def test_several_pauses_end_with_the_longest(throttle: Throttle, time: Time) -> None:
    throttle.pause_for(9)
    throttle.pause_for(3)
    with throttle.slot():
        assert time.now == 9


def test_worker_that_waits_for_a_pause_holds_no_slot_and_no_lock(time: Time) -> None:
    def sleep(seconds: float) -> None:
        with other_throttle.slot():
            throttle.pause_for(0)  # would deadlock if the sleeping thread held the lock
            assert throttle._limit.in_flight == 0
        time.sleep(seconds)

    other_throttle, throttle = Throttle(1), Throttle(1, clock=time.clock, sleep=sleep)
    throttle.pause_for(5)
    with throttle.slot():
        assert throttle._limit.in_flight == 1

    assert time.slept == [5]


def test_pause_set_during_a_wait_extends_the_wait(time: Time) -> None:
    def sleep(seconds: float) -> None:
        if time.now == 0:
            throttle.pause_for(60)
        time.sleep(seconds)

    throttle = Throttle(4, 0.1, clock=time.clock, sleep=sleep)
    with throttle.slot():
        pass
    with throttle.slot():
        assert time.now == 60


def test_requests_and_retries_are_spaced_evenly(time: Time) -> None:
    throttle = Throttle(4, 2.0, clock=time.clock, sleep=time.sleep)
    starts = []

    def request() -> None:
        with throttle.slot():
            starts.append(time.now)
            raise TransientError("stumbled")

    with pytest.raises(SourceUnavailable):
        Retry(settings(max_retries=3), throttle).call(request)

    assert starts == [0, 0.5, 1, 1.5]


@given(
    st.sampled_from([0.1, 0.3, 1.0, 7.0, 1000.0]),
    st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30), st.floats(0, 3)), min_size=1, max_size=40),
)
def test_requests_in_any_time_window_stay_within_the_rate(
    per_second: float, script: list[tuple[float, float, float]]
) -> None:
    time = Time()
    throttle = Throttle(4, per_second, clock=time.clock, sleep=time.sleep)
    starts = []
    for idle, pause, duration in script:
        time.now += idle
        throttle.pause_for(pause)
        with throttle.slot() as slot:
            starts.append(slot.began)
            time.now += duration

    for first, start in enumerate(starts):
        for after, end in enumerate(starts[first:]):
            assert after <= (end - start) * per_second + 1e-6


@pytest.mark.parametrize("per_second", [1e-12, 5e-324])
def test_pauses_at_a_tiny_rate_stay_within_what_python_can_sleep(per_second: float) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        raise InterruptedError

    throttle = Throttle(4, per_second, sleep=sleep)
    with throttle.slot():
        pass
    with suppress(InterruptedError), throttle.slot():
        pass

    assert pauses == [_LONGEST_SLEEP]


@given(
    st.integers(1, 5),
    st.lists(st.lists(st.sampled_from([200, 404, 429, 503, -1, -2]), max_size=12), min_size=1, max_size=6),
)
def test_concurrent_requests_stay_within_the_limit_and_release_every_slot(
    maximum: int, scripts: list[list[int]]
) -> None:
    throttle = Throttle(maximum)
    limit, lock = throttle._limit, Lock()
    observed, in_flight = [], [0]
    begin = limit.begin

    def observe_begin() -> int:
        observed.append((limit.in_flight, limit.now))
        return begin()

    limit.begin = observe_begin  # type: ignore[method-assign]  # observed, not changed

    def work(outcomes: list[int]) -> None:
        for outcome in outcomes:
            with suppress(ZeroDivisionError), throttle.slot("models") as slot:
                with lock:
                    in_flight[0] += 1
                    assert in_flight[0] <= maximum
                real_time.sleep(0)
                with lock:
                    in_flight[0] -= 1
                slot.timed_out = outcome == -2
                slot.record_answer(outcome if outcome > 0 else 1 // (outcome + 1))

    workers = [Thread(target=work, args=[script]) for script in scripts]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(observed) == sum(map(len, scripts))
    assert all(under_way < now for under_way, now in observed)
    assert (limit.in_flight, throttle._waiting, in_flight) == (0, 0, [0])


def test_waiting_workers_use_every_slot_of_a_grown_limit() -> None:
    throttle, done, together = Throttle(3), [Event() for _ in range(5)], Barrier(3)

    def work(number: int) -> None:
        with throttle.slot() as slot:
            done[number].wait()
            if number >= 2:
                together.wait(patience())  # fails unless all three wait at the same time
            slot.record_answer(200)

    workers = [Thread(target=work, args=[number]) for number in range(5)]
    for number, worker in enumerate(workers):
        worker.start()
        while throttle._limit.in_flight + throttle._waiting <= number:
            real_time.sleep(0.001)
    for each in done:
        each.set()
    for worker in workers:
        worker.join()

    assert not together.broken


def test_limit_lowered_by_a_status_is_logged_as_info_and_other_changes_as_debug(
    throttle: Throttle, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for status in (429, 503, 404):
        with throttle.slot() as slot:
            slot.record_answer(status)
    with throttle.slot() as slot, suppress(TimeoutError):
        throttle._limit.now = 4
        slot.timed_out = True
        raise TimeoutError

    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "1 instead of 2 requests at once, because the server answered 429"),
        ("DEBUG", "2 instead of 4 requests at once"),
    ]
