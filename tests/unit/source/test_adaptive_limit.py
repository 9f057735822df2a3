"""Properties of the limit on concurrent requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.source.throttle import AdaptiveLimit, Slot

OVERLOADED: list[tuple[int, bool]] = [(429, False), (503, False), (0, True), (200, True)]
"""Statuses, each with whether the request timed out."""


def begin_request(limit: AdaptiveLimit, kind: str | None = "models") -> Slot:
    return Slot(kind, limit.begin(), lambda: 0.0)


def end_request(limit: AdaptiveLimit, slot: Slot, status: int = 200, seconds: float = 0.1, **flags: bool) -> None:
    slot.status, slot.seconds, slot.timed_out = status, seconds, flags.get("late", False)
    limit.end(slot, wanted=flags.get("wanted", True))


def send_requests(limit: AdaptiveLimit, times: int, *, kind: str | None = "models", seconds: float = 0.1) -> int:
    """Send requests one by one; return the lowest limit in between."""
    lowest = limit.now
    for _ in range(times):
        end_request(limit, begin_request(limit, kind), seconds=seconds)
        lowest = min(lowest, limit.now)
    return lowest


def fill_slots(limit: AdaptiveLimit, status: int = 200, **flags: bool) -> int:
    """Take all slots, then answer all requests; return the limit afterwards."""
    for slot in [begin_request(limit) for _ in range(limit.now)]:
        end_request(limit, slot, status, **flags)
    return limit.now


def grown(to: int, maximum: int = 64) -> AdaptiveLimit:
    limit = AdaptiveLimit(maximum)
    while limit.now < to:
        fill_slots(limit)
    return limit


class TestTheLimit:
    @pytest.mark.parametrize(("maximum", "first"), [(1, 1), (2, 2), (64, 2)])
    def test_starts_low(self, maximum: int, first: int) -> None:
        assert AdaptiveLimit(maximum).now == first

    def test_grows_by_one_after_each_round_of_successes_up_to_the_maximum(self) -> None:
        limit = AdaptiveLimit(5)

        assert [fill_slots(limit) for _ in range(6)] == [3, 4, 5, 5, 5, 5]

    def test_does_not_grow_while_no_worker_waits_for_a_slot(self) -> None:
        limit = AdaptiveLimit(5)

        assert [fill_slots(limit, wanted=False) for _ in range(9)] == [2] * 9
        send_requests(limit, 1)
        assert limit.now == 3

    @pytest.mark.parametrize("status", [0, 302, 404, 422, 500, 502])
    def test_is_unchanged_by_other_statuses(self, status: int) -> None:
        limit = grown(to=4)

        assert [fill_slots(limit, status) for _ in range(9)] == [4] * 9

    @pytest.mark.parametrize(("status", "late"), OVERLOADED)
    def test_is_halved_if_the_server_is_overloaded(self, status: int, late: bool) -> None:  # noqa: FBT001
        limit = grown(to=9)
        end_request(limit, begin_request(limit), status, late=late)

        assert limit.now == 4

    @pytest.mark.parametrize(("status", "late"), OVERLOADED)
    def test_is_halved_once_for_all_requests_under_way(self, status: int, late: bool) -> None:  # noqa: FBT001
        limit = grown(to=20)

        assert [fill_slots(limit, status, late=late) for _ in range(6)] == [10, 5, 2, 1, 1, 1]

    def test_does_not_grow_by_requests_sent_before_the_cut(self) -> None:
        limit = grown(to=8)
        slots = [begin_request(limit) for _ in range(8)]
        for slot in slots[:4]:
            end_request(limit, slot)
        end_request(limit, slots[4], 429)
        for slot in slots[5:]:
            end_request(limit, slot)

        send_requests(limit, 3)
        assert limit.now == 4
        send_requests(limit, 1)
        assert limit.now == 5

    def test_is_halved_if_the_latest_answers_are_clearly_slower(self) -> None:
        limit = grown(to=8)
        send_requests(limit, 7, seconds=0.26)
        assert limit.now == 8

        send_requests(limit, 1, seconds=0.26)
        assert limit.now == 4

    def test_is_unchanged_while_only_some_answers_are_slow(self) -> None:
        limit = grown(to=8, maximum=8)
        for _ in range(9):
            assert send_requests(limit, 7, seconds=5.0) == 8
            assert send_requests(limit, 1, seconds=0.1) == 8

    def test_is_unchanged_if_answers_are_milliseconds_slower(self) -> None:
        limit = grown(to=8, maximum=8)

        assert send_requests(limit, 50, seconds=0.004) == 8
        assert send_requests(limit, 50, seconds=0.050) == 8

    def test_compares_only_requests_of_one_kind(self) -> None:
        limit = grown(to=8, maximum=8)

        assert send_requests(limit, 50, kind="ml-repos", seconds=0.01) == 8
        assert send_requests(limit, 50, kind="versions", seconds=1.0) == 8
        assert send_requests(limit, 50, kind="ml-repos", seconds=0.01) == 8
        assert send_requests(limit, 50, kind=None, seconds=0.01) == 8
        assert send_requests(limit, 50, kind=None, seconds=1.0) == 8

    def test_ignores_one_nearly_empty_page_as_baseline(self) -> None:
        limit = AdaptiveLimit(8)
        for _ in range(9):
            assert send_requests(limit, 20, seconds=1.0) >= 2
            assert send_requests(limit, 1, seconds=0.01) >= 2

        assert limit.now == 8

    def test_does_not_grow_after_slow_answers_until_some_are_fast(self) -> None:
        limit = grown(to=8, maximum=8)
        send_requests(limit, 8, seconds=0.9)
        send_requests(limit, 7, seconds=0.1)
        assert limit.now == 4

        send_requests(limit, 1, seconds=0.1)
        assert limit.now == 5

    def test_falls_to_one_while_answers_stay_slow_and_then_takes_them_as_baseline(self) -> None:
        limit = grown(to=8, maximum=8)
        found = []
        for _ in range(4):
            send_requests(limit, 8, seconds=0.9)
            found.append(limit.now)

        assert found == [4, 2, 1, 2]
        assert send_requests(limit, 50, seconds=0.9) == 2
        assert limit.now == 8

    def test_finds_the_new_baseline_despite_one_nearly_empty_page(self) -> None:
        limit = grown(to=8, maximum=8)
        send_requests(limit, 31, seconds=0.9)
        send_requests(limit, 1, seconds=0.01)

        assert send_requests(limit, 50, seconds=0.9) == 2
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
    def test_stays_between_one_and_the_maximum_for_any_answers_in_any_order(
        self, maximum: int, script: list[tuple[int, int, float, str | None, bool, bool]]
    ) -> None:
        limit = AdaptiveLimit(maximum)
        slots: list[Slot] = []
        for index, status, seconds, kind, late, wanted in script:
            while limit.in_flight < limit.now and len(slots) <= index:
                slots.append(begin_request(limit, kind))
            before = limit.now
            end_request(limit, slots.pop(index % len(slots)), status, seconds, late=late, wanted=wanted)

            assert 1 <= limit.now <= maximum
            assert limit.now in {before, before + 1, max(1, before // 2)}
            assert limit.in_flight == len(slots) <= maximum
