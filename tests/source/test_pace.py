"""How fast all workers together ask: the laws of the limit and of the gate."""

import logging
import time as real_time
from contextlib import suppress
from threading import Lock, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceUnavailable
from etl.source import pace
from etl.source.pace import Gate, Limit, Turn
from etl.source.retry import Passing, Retry
from tests.source.conftest import Time
from tests.source.planes import settings

TOO_MUCH: list[tuple[int, bool]] = [(429, False), (503, False), (0, True), (200, True)]
"""Statuses, and whether the answer or its end did not come in time."""


def sent(limit: Limit, kind: str | None = "models") -> Turn:
    return Turn(kind, limit.begin(), lambda: 0.0)


def answer(limit: Limit, turn: Turn, status: int = 200, seconds: float = 0.1, **more: bool) -> None:
    turn.status, turn.seconds, turn.late = status, seconds, more.get("late", False)
    limit.end(turn, wanted=more.get("wanted", True))


def ask(limit: Limit, times: int, *, kind: str | None = "models", **given: float) -> None:
    """One request after the other."""
    for _ in range(times):
        answer(limit, sent(limit, kind), **given)  # type: ignore[arg-type]  # all of them are seconds


def fill(limit: Limit, status: int = 200, **more: bool) -> int:
    """One round: all places taken, then all answered; gives the limit after it."""
    for turn in [sent(limit) for _ in range(limit.now)]:
        answer(limit, turn, status, **more)
    return limit.now


def grown(to: int, most: int = 64) -> Limit:
    limit = Limit(most)
    while limit.now < to:
        fill(limit)
    return limit


class TestTheLimit:
    @pytest.mark.parametrize(("most", "first"), [(1, 1), (2, 2), (64, 2)])
    def test_begins_modestly(self, most: int, first: int) -> None:
        assert Limit(most).now == first

    def test_grows_by_one_with_each_round_of_good_answers_up_to_the_most(self) -> None:
        limit = Limit(5)

        assert [fill(limit) for _ in range(6)] == [3, 4, 5, 5, 5, 5]

    def test_does_not_grow_while_nobody_waits_for_a_place(self) -> None:
        limit = Limit(5)

        assert [fill(limit, wanted=False) for _ in range(9)] == [2] * 9
        ask(limit, 1)
        assert limit.now == 3

    @pytest.mark.parametrize("status", [0, 302, 404, 422, 500, 502])
    def test_neither_grows_nor_falls_by_other_answers(self, status: int) -> None:
        limit = grown(to=4)

        assert [fill(limit, status) for _ in range(9)] == [4] * 9

    @pytest.mark.parametrize(("status", "late"), TOO_MUCH)
    def test_is_halved_where_the_server_has_too_much_to_do(self, status: int, late: bool) -> None:  # noqa: FBT001
        limit = grown(to=9)
        answer(limit, sent(limit), status, late=late)

        assert limit.now == 4

    @pytest.mark.parametrize(("status", "late"), TOO_MUCH)
    def test_is_halved_once_for_all_that_were_under_way(self, status: int, late: bool) -> None:  # noqa: FBT001
        limit = grown(to=20)

        assert [fill(limit, status, late=late) for _ in range(6)] == [10, 5, 2, 1, 1, 1]

    def test_does_not_grow_by_what_was_sent_before_it_was_cut(self) -> None:
        limit = grown(to=8)
        turns = [sent(limit) for _ in range(8)]
        answer(limit, turns[0], 429)
        for turn in turns[1:]:
            answer(limit, turn)

        assert limit.now == 4
        assert fill(limit) == 5

    def test_is_halved_when_the_latest_answers_come_clearly_later(self) -> None:
        limit = grown(to=8)
        ask(limit, 7, seconds=0.26)
        assert limit.now == 8

        ask(limit, 1, seconds=0.26)
        assert limit.now == 4

    def test_stands_while_some_answers_are_slow_and_others_are_not(self) -> None:
        limit = grown(to=8, most=8)
        for _ in range(9):
            ask(limit, 7, seconds=5.0)
            ask(limit, 1, seconds=0.1)

        assert limit.now == 8

    def test_stands_when_answers_come_a_few_milliseconds_later(self) -> None:
        limit = Limit(8)
        ask(limit, 50, seconds=0.004)
        ask(limit, 50, seconds=0.050)

        assert limit.now == 8

    def test_compares_only_what_should_take_the_same_time(self) -> None:
        limit = Limit(8)
        ask(limit, 50, kind="ml-repos", seconds=0.01)
        ask(limit, 50, kind="models", seconds=1.0)
        ask(limit, 50, kind=None, seconds=0.01)
        ask(limit, 50, kind=None, seconds=1.0)

        assert limit.now == 8

    def test_takes_no_page_with_hardly_a_record_for_the_measure(self) -> None:
        limit = Limit(8)
        for _ in range(9):
            ask(limit, 20, seconds=1.0)
            ask(limit, 1, seconds=0.01)

        assert limit.now == 8

    def test_grows_no_more_after_late_answers_until_a_few_came_in_time(self) -> None:
        limit = grown(to=8, most=8)
        ask(limit, 8, seconds=0.9)
        ask(limit, 7, seconds=0.1)
        assert limit.now == 4

        ask(limit, 1, seconds=0.1)
        assert limit.now == 5

    def test_falls_to_one_while_answers_stay_late_and_then_takes_them_for_the_measure(self) -> None:
        limit = grown(to=8, most=8)
        found = []
        for _ in range(4):
            ask(limit, 8, seconds=0.9)
            found.append(limit.now)

        assert found == [4, 2, 1, 2]
        ask(limit, 50, seconds=0.9)
        assert limit.now == 8

    @given(
        st.integers(1, 64),
        st.lists(
            st.tuples(
                st.integers(0, 63),
                st.sampled_from([0, 200, 404, 429, 500, 503]),
                st.sampled_from([0.01, 0.1, 1.0, 10.0]),
                st.sampled_from([None, "models", "versions"]),
                st.booleans(),
                st.booleans(),
            ),
            max_size=300,
        ),
    )
    def test_stays_between_one_and_the_most_whatever_is_answered_in_whatever_order(
        self, most: int, script: list[tuple[int, int, float, str | None, bool, bool]]
    ) -> None:
        limit = Limit(most)
        turns: list[Turn] = []
        for which, status, seconds, kind, late, wanted in script:
            while limit.under_way < limit.now and len(turns) <= which:
                turns.append(sent(limit, kind))
            before = limit.now
            answer(limit, turns.pop(which % len(turns)), status, seconds, late=late, wanted=wanted)

            assert 1 <= limit.now <= most
            assert limit.now in {before, before + 1, max(1, before // 2)}
            assert limit.under_way == len(turns) <= most


class TestTheGate:
    def test_stays_shut_for_the_longest_pause(self, gate: Gate, time: Time) -> None:
        gate.shut(9)
        gate.shut(3)
        with gate.turn():
            assert time.now == 9

    def test_has_nobody_hold_a_place_or_a_lock_while_it_is_shut(self, time: Time) -> None:
        def sleep(seconds: float) -> None:
            with free.turn():
                gate.shut(0)  # which no two could at once
                assert gate._limit.under_way == 0
            time.sleep(seconds)

        free, gate = Gate(1), Gate(1, clock=time.clock, sleep=sleep)
        gate.shut(5)
        with gate.turn():
            assert gate._limit.under_way == 1

        assert time.slept == [5]

    def test_that_is_shut_while_somebody_waits_for_a_turn_is_waited_for(self, time: Time) -> None:
        def sleep(seconds: float) -> None:
            if time.now == 0:
                gate.shut(60)
            time.sleep(seconds)

        gate = Gate(4, 0.1, clock=time.clock, sleep=sleep)
        with gate.turn():
            pass
        with gate.turn():
            assert time.now == 60

    def test_spaces_requests_evenly_further_tries_among_them(self, time: Time) -> None:
        gate = Gate(4, 2.0, clock=time.clock, sleep=time.sleep)
        began = []

        def request() -> None:
            with gate.turn():
                began.append(time.now)
                raise Passing("stumbled")

        with pytest.raises(SourceUnavailable):
            Retry(settings(max_retries=3), gate).call(request)

        assert began == [0, 0.5, 1, 1.5]

    @given(
        st.sampled_from([0.1, 0.3, 1.0, 7.0, 1000.0]),
        st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30), st.floats(0, 3)), min_size=1, max_size=40),
    )
    def test_lets_no_more_pass_in_any_window_than_a_second_may_have(
        self, per_second: float, script: list[tuple[float, float, float]]
    ) -> None:
        time = Time()
        gate = Gate(4, per_second, clock=time.clock, sleep=time.sleep)
        began = []
        for idle, shut, takes in script:
            time.now += idle
            gate.shut(shut)
            with gate.turn() as turn:
                began.append(turn.began)
                time.now += takes

        for first, start in enumerate(began):
            for after, end in enumerate(began[first:]):
                assert after <= (end - start) * per_second + 1e-6

    @pytest.mark.parametrize("per_second", [1e-12, 5e-324])
    def test_of_hardly_any_requests_a_second_is_waited_at_in_pauses_that_python_knows(self, per_second: float) -> None:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            raise InterruptedError

        gate = Gate(4, per_second, sleep=sleep)
        with gate.turn():
            pass
        with suppress(InterruptedError), gate.turn():
            pass

        assert pauses == [pace._LONGEST_SLEEP]

    @given(
        st.integers(1, 5),
        st.lists(st.lists(st.sampled_from([200, 404, 429, 503, -1, -2]), max_size=12), min_size=1, max_size=6),
    )
    def test_lets_no_more_pass_than_the_limit_and_gets_every_place_back(
        self, most: int, scripts: list[list[int]]
    ) -> None:
        gate = Gate(most)
        limit, lock = gate._limit, Lock()
        places, there = [], [0]
        begin = limit.begin

        def watched() -> int:
            places.append((limit.under_way, limit.now))
            return begin()

        limit.begin = watched  # type: ignore[method-assign]  # it is watched, not changed

        def work(outcomes: list[int]) -> None:
            for outcome in outcomes:
                with suppress(ZeroDivisionError), gate.turn("models") as turn:
                    with lock:
                        there[0] += 1
                        assert there[0] <= most
                    real_time.sleep(0)
                    with lock:
                        there[0] -= 1
                    turn.late = outcome == -2
                    turn.answered(outcome if outcome > 0 else 1 // (outcome + 1))

        workers = [Thread(target=work, args=[script]) for script in scripts]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

        assert len(places) == sum(map(len, scripts))
        assert all(under_way < now for under_way, now in places)
        assert (limit.under_way, gate._waiting, there) == (0, 0, [0])

    def test_tells_when_the_server_had_too_much_to_do_and_to_who_looks_closer_every_change(
        self, gate: Gate, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for status in (429, 503, 404):
            with gate.turn() as turn:
                turn.answered(status)
        with gate.turn() as turn, suppress(TimeoutError):
            gate._limit.now = 4
            turn.late = True
            raise TimeoutError

        assert [(record.levelname, record.message) for record in caplog.records] == [
            ("INFO", "1 instead of 2 requests at once, because the server answered 429"),
            ("DEBUG", "2 instead of 4 requests at once"),
        ]
