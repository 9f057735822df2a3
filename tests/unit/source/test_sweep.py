"""The pages that a sweep requests, and what they prove."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.source.completeness.page import Page
from etl.source.completeness.sweep import Sweep, proof
from tests.unit.source.lists import ORDERS, Order, still_list, sweep_of


def rows(*ids: str, at: str = "t0") -> list[Any]:
    return [{"id": name, "updated_at": at} for name in ids]


def sweep_of_pages(*pages: Page) -> Sweep:
    """A sweep of these pages, each at the offset that the sweep requested."""
    sweep = Sweep()
    for page in pages:
        assert page.offset == sweep.offset
        sweep.take(page)
    return sweep


def test_id_repeated_in_a_sweep_is_marked_except_in_the_overlap() -> None:
    sweep = Sweep()
    first = sweep.take(Page(0, 3, rows("a", "b", "a")))
    second = sweep.take(Page(2, 3, rows("a", "c", "b")))

    assert (list(first.again), second.overlap, list(second.again)) == ([2], 1, [1])


class TestAnUnchangedList:
    @given(st.integers(0, 60), st.integers(2, 70), st.integers(2, 70), st.sampled_from(ORDERS))
    def test_is_seen_completely_and_proven_in_one_sweep(self, count: int, limit: int, cap: int, order: Order) -> None:
        sweep, fresh, _ = sweep_of(still_list(count, order=order, cap=cap), limit)

        assert [record["id"] for record in fresh] == [
            r["id"] for r in still_list(count, order=order).page(0, 99).records
        ]
        assert proof(None, sweep) == "anchored"

    @given(st.integers(1, 60), st.integers(2, 70))
    def test_takes_only_as_many_requests_as_pages_that_overlap_by_one(self, count: int, limit: int) -> None:
        _, _, requests = sweep_of(still_list(count), limit)

        # A full last page needs one more request: its end may be a cap of the server.
        pages = 1 + max(0, -(-(count - limit) // (limit - 1)))
        full = count >= limit and (count - limit) % (limit - 1) == 0
        assert requests == pages + full

    @given(
        st.integers(0, 40),
        st.integers(1, 50),
        st.integers(1, 50),
        st.sampled_from([
            lambda _count: None,
            lambda count: count + 1,
            lambda count: count + 1000,
            lambda count: max(count - 1, 0),
            lambda _count: 0,
            lambda count: count // 2,
        ]),
    )  # fmt: skip
    def test_is_seen_completely_with_any_total(
        self, count: int, limit: int, cap: int, total: Callable[[int], int | None]
    ) -> None:
        source = still_list(count, total=total, cap=cap)
        first, fresh, requests = sweep_of(source, limit)
        second, _, _ = sweep_of(source, limit)

        is_wrong = total(count) != count
        # A wrong total that happens to equal a first page cut by a silent cap cannot be detected.
        is_undetectable = total(count) == cap < min(count, limit)
        if not is_undetectable:
            assert {record["id"] for record in fresh} == source.ids()
        if is_wrong and not is_undetectable:
            assert proof(None, first) is None
        if min(limit, cap) > 1 and is_wrong and not is_undetectable:
            assert proof(first, second) == "confirmed"
        assert requests <= 2 * count + 6

    @given(st.integers(2, 40), st.integers(2, 10))
    def test_whose_total_counts_only_the_page_is_seen_completely(self, count: int, limit: int) -> None:
        source = still_list(count)

        sweep = Sweep()
        while not sweep.ended:
            page = source.page(sweep.offset, limit)
            sweep.take(Page(page.offset, page.asked, page.records, total=len(page.records)))

        assert len(sweep.ids) == count

    def test_of_pages_of_one_record_is_proven_by_two_sweeps_that_meet_the_total(self) -> None:
        first, fresh, requests = sweep_of(still_list(3), limit=1)
        second, _, _ = sweep_of(still_list(3), limit=1)

        assert (len(fresh), requests) == (3, 4)
        assert proof(None, first) is None
        assert proof(first, second) == "confirmed"

    def test_that_is_empty_is_proven_by_one_request(self) -> None:
        sweep, fresh, requests = sweep_of(still_list(0), limit=10)

        assert (fresh, requests, proof(None, sweep)) == ([], 1, "anchored")

    def test_that_is_empty_and_names_no_total_is_proven_by_two(self) -> None:
        first = sweep_of_pages(Page(0, 10, []))
        second = sweep_of_pages(Page(0, 10, []))

        assert proof(None, first) is None
        assert proof(first, second) == "confirmed"


class TestPages:
    def test_count_the_anchor_only_once(self) -> None:
        sweep = sweep_of_pages(Page(0, 3, rows("a", "b", "c"), total=5))

        page = sweep.take(Page(2, 3, rows("c", "d", "e"), total=5))

        assert page.new_records == rows("d", "e")

    def test_count_every_record_if_the_anchor_does_not_join(self) -> None:
        sweep = sweep_of_pages(Page(0, 3, rows("a", "b", "c"), total=5))

        page = sweep.take(Page(2, 3, rows("d", "e"), total=4))

        assert page.new_records == rows("d", "e")
        assert not sweep.anchored

    def test_advance_by_the_records_received(self) -> None:
        sweep = sweep_of_pages(Page(0, 500, rows("a", "b", "c"), total=9))

        assert sweep.offset == 2

    def test_of_the_anchor_alone_are_followed_by_one_without_overlap(self) -> None:
        sweep = sweep_of_pages(Page(0, 9, rows("a", "b")), Page(1, 9, rows("b")))

        assert (sweep.offset, sweep.ended) == (2, False)
        sweep.take(Page(2, 9, []))
        assert sweep.ended

    def test_that_are_short_do_not_end_a_list(self) -> None:
        sweep = sweep_of_pages(
            Page(0, 9, rows("a", "b")), Page(1, 9, rows("b")), Page(2, 9, rows("c", "d")),
            Page(3, 9, rows("d")), Page(4, 9, []),
        )  # fmt: skip

        assert len(sweep.ids) == 4
        assert not sweep.proves_in_pair

    def test_whose_total_changes_prove_nothing_by_themselves(self) -> None:
        sweep = sweep_of_pages(Page(0, 2, rows("a", "b"), total=4), Page(1, 4, rows("b", "c", "d"), total=3))
        while not sweep.ended:
            sweep.take(Page(sweep.offset, 4, rows("d") if sweep.offset == 3 else [], total=4))

        assert proof(None, sweep) is None

    def test_that_repeat_an_id_prove_nothing_by_themselves(self) -> None:
        sweep = sweep_of_pages(
            Page(0, 9, rows("a", "b", "a"), total=3), Page(2, 9, rows("a"), total=3), Page(3, 9, [], total=3)
        )

        assert (sweep.ended, proof(None, sweep)) == (True, None)

    def test_of_different_ids_do_not_confirm_each_other(self) -> None:
        first = sweep_of_pages(Page(0, 9, []))
        second = sweep_of_pages(Page(0, 9, rows("a")), Page(1, 9, []))

        assert proof(first, second) is None


class TestEmptyPages:
    def test_below_total_are_skipped_three_times_at_most(self) -> None:
        sweep = sweep_of_pages(
            Page(0, 2, rows("a", "b"), total=99), Page(1, 2, rows("b"), total=99), Page(2, 2, [], total=99),
            Page(4, 2, [], total=99), Page(6, 2, [], total=99), Page(8, 2, [], total=99),
        )  # fmt: skip

        assert sweep.ended

    def test_with_records_after_them_prevent_a_proof(self) -> None:
        def holed() -> Sweep:
            return sweep_of_pages(
                Page(0, 2, rows("a", "b"), total=4), Page(1, 2, [], total=4), Page(3, 2, rows("c", "d"), total=4),
                Page(4, 2, rows("d"), total=4), Page(5, 2, [], total=4),
            )  # fmt: skip

        sweep = holed()

        assert (sweep.ended, len(sweep.ids)) == (True, 4)
        assert proof(None, sweep) is None
        assert proof(holed(), sweep) is None

    def test_at_the_start_are_skipped_too(self) -> None:
        sweep = sweep_of_pages(Page(0, 2, [], total=3))

        assert (sweep.ended, sweep.offset, sweep.total) == (False, 2, 3)

    def test_in_place_of_the_anchor_end_the_list_without_proof(self) -> None:
        sweep = sweep_of_pages(Page(0, 2, rows("a", "b")), Page(1, 2, []))

        assert (sweep.ended, sweep.proves_in_pair) == (True, False)

    def test_without_a_total_keep_the_total_before_them(self) -> None:
        sweep = sweep_of_pages(Page(0, 1, rows("a"), total=1), Page(1, 1, [], total=0))

        assert proof(None, sweep) == "anchored"


class TestCircles:
    def test_of_a_server_that_ignores_the_offset_end_the_sweep_at_its_second_page(self) -> None:
        sweep = sweep_of_pages(Page(0, 2, rows("a", "b"), total=9), Page(1, 2, rows("a", "b"), total=9))

        assert sweep.ended
        assert proof(sweep, sweep) is None

    @given(st.integers(1, 30), st.integers(1, 7))
    def test_of_a_list_that_starts_over_end_the_sweep_without_proof(self, count: int, limit: int) -> None:
        sweep, requests = Sweep(), 0
        while not sweep.ended:
            requests += 1
            assert requests <= 64 + 16 * count
            ids = [str((sweep.offset + step) % count) for step in range(limit)]
            sweep.take(Page(sweep.offset, limit, rows(*ids)))

        assert not sweep.proves_in_pair

    def test_are_not_assumed_if_each_record_repeats_three_times(self) -> None:
        ids = [str(number // 3) for number in range(300)]
        sweep = Sweep()
        while not sweep.ended:
            sweep.take(Page(sweep.offset, 10, rows(*ids[sweep.offset : sweep.offset + 10]), total=300))

        assert len(sweep.ids) == 100


class TestEndlessLists:
    """Each offset of these lists has a full page of new records."""

    @staticmethod
    def read(limit: int, total: int | None, max_records: int) -> tuple[Sweep, int]:
        """The sweep, and the number of records read."""
        sweep, records = Sweep(max_records), 0
        while not sweep.ended:
            page = sweep.take(
                Page(sweep.offset, limit, rows(*map(str, range(sweep.offset, sweep.offset + limit))), total)
            )
            records += len(page.new_records)
        return sweep, records

    @pytest.mark.parametrize(
        ("total", "expected"), [(0, 100_000), (10, 100_000), (49_999, 100_000), (60_000, 120_000), (100_000, 200_000)]
    )
    def test_end_at_twice_their_total_and_one_page_and_prove_nothing(self, total: int, expected: int) -> None:
        sweep, records = self.read(10_000, total, 10**7)

        assert expected + 10_000 < records <= expected + 20_000
        assert (sweep.endless, sweep.proves_in_pair) == ("total", False)

    @pytest.mark.parametrize("total", [None, 10**18])
    @pytest.mark.parametrize("max_records", [1, 999, 5000])
    def test_end_at_max_records_and_prove_nothing(self, total: int | None, max_records: int) -> None:
        sweep, records = self.read(100, total, max_records)

        assert max_records < records <= max_records + 100
        assert (sweep.endless, sweep.proves_in_pair) == ("max_records", False)

    def test_that_end_at_max_records_are_not_endless(self) -> None:
        source = still_list(50)
        sweep = Sweep(50)
        while not sweep.ended:
            sweep.take(source.page(sweep.offset, 9))

        assert proof(None, sweep) == "anchored"


class TestLookingAhead:
    def test_starts_with_only_the_first_page(self) -> None:
        assert Sweep().upcoming(4) == [0]

    def test_predicts_offsets_that_overlap_by_one(self) -> None:
        sweep = sweep_of_pages(Page(0, 3, rows("a", "b", "c"), total=100))

        assert sweep.upcoming(4) == [2, 4, 6, 8]

    def test_does_not_reach_past_total(self) -> None:
        sweep = sweep_of_pages(Page(0, 3, rows("a", "b", "c"), total=6))

        assert sweep.upcoming(4) == [2, 4]

    def test_follows_the_length_of_capped_pages(self) -> None:
        sweep = sweep_of_pages(Page(0, 500, rows("a", "b", "c"), total=100, limit=3))

        assert sweep.upcoming(3) == [2, 4, 6]

    def test_is_not_shortened_by_one_short_page(self) -> None:
        sweep = sweep_of_pages(Page(0, 3, rows("a", "b", "c"), total=100), Page(2, 3, rows("c", "d"), total=100))

        assert sweep.upcoming(3) == [3, 5, 7]

    def test_shrinks_with_the_page_size(self) -> None:
        sweep = sweep_of_pages(Page(0, 4, rows(*"abcd"), total=100), Page(3, 2, rows(*"de"), total=100))

        assert sweep.upcoming(3) == [4, 5, 6]

    def test_continues_without_total_only_after_a_full_page(self) -> None:
        full = sweep_of_pages(Page(0, 3, rows("a", "b", "c")))
        short = sweep_of_pages(Page(0, 4, rows("a", "b", "c")))

        assert full.upcoming(3) == [2, 4, 6]
        assert short.upcoming(3) == [2]

    def test_ends_with_the_sweep(self) -> None:
        assert sweep_of_pages(Page(0, 3, rows("a"), total=1)).upcoming(4) == []

    @given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5))
    def test_predicts_no_page_that_an_unchanged_list_does_not_need(
        self, count: int, limit: int, cap: int, ahead: int
    ) -> None:
        source, sweep = still_list(count, cap=cap), Sweep()
        predicted, taken_in_order = set[int](), list[int]()
        while not sweep.ended:
            predicted.update(sweep.upcoming(ahead))
            taken_in_order.append(sweep.offset)
            sweep.take(source.page(sweep.offset, limit))

        assert predicted == set(taken_in_order)
