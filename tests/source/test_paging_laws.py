"""Laws of paging: what a list that moves may not hide from a proven reading."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from etl.source.paging import Page, Sweep, proof
from tests.source.lists import ORDERS, MovingList, still_list

mutations = st.lists(st.tuples(st.sampled_from(["insert", "delete", "touch"]), st.integers(0, 9)), max_size=4)
totals: st.SearchStrategy[Callable[[int], int | None]] = st.sampled_from(
    [lambda count: count, lambda count: count, lambda _count: None]
)


def change(source: MovingList, changes: list[tuple[str, int]]) -> None:
    for what, which in changes:
        getattr(source, what)(which)


moving_lists = st.builds(still_list, st.integers(0, 14), order=st.sampled_from(ORDERS), total=totals)
scripts = st.lists(mutations, max_size=30)


class TestAListThatMoves:
    @settings(max_examples=500)
    @given(moving_lists, st.integers(1, 6), scripts)
    def test_hides_no_row_that_was_there_throughout_a_proven_reading(
        self, source: MovingList, limit: int, script: list[list[tuple[str, int]]]
    ) -> None:
        throughout = source.ids()
        coming = iter(script)
        seen: set[str] = set()
        proven, previous = None, None
        for _sweep in range(3):
            sweep = Sweep()
            while not sweep.ended:
                page = sweep.take(source.page(sweep.offset, limit))
                seen |= {record["id"] for record in page.fresh}
                change(source, next(coming, []))
            proven, previous = proof(previous, sweep), sweep
            if proven:
                break

        if proven:
            assert throughout - source.gone <= seen

    @settings(max_examples=500)
    @given(moving_lists, st.integers(2, 5), scripts, st.lists(st.integers(0, 3), max_size=40))
    def test_hides_none_either_when_workers_read_later_pages_first(
        self, source: MovingList, limit: int, script: list[list[tuple[str, int]]], choices: list[int]
    ) -> None:
        throughout = source.ids()
        coming, chosen = iter(script), iter(choices)
        seen: set[str] = set()
        proven, previous = None, None
        for _sweep in range(3):
            sweep, ahead = Sweep(), dict[int, Page]()
            while not sweep.ended:
                wanted = sweep.upcoming(4)
                ahead = {offset: page for offset, page in ahead.items() if offset in wanted}
                while sweep.offset not in ahead:
                    missing = [offset for offset in wanted if offset not in ahead]
                    offset = missing[next(chosen, 0) % len(missing)]
                    ahead[offset] = source.page(offset, limit)
                    change(source, next(coming, []))
                page = sweep.take(ahead.pop(sweep.offset))
                seen |= {record["id"] for record in page.fresh}
            proven, previous = proof(previous, sweep), sweep
            if proven:
                break

        if proven:
            assert throughout - source.gone <= seen

    def test_that_lost_a_row_before_the_anchor_is_not_proven(self) -> None:
        source = still_list(9)
        sweep = Sweep()
        sweep.take(source.page(0, 4))
        source.delete(0)
        while not sweep.ended:
            sweep.take(source.page(sweep.offset, 4))

        assert proof(None, sweep) is None

    def test_where_one_row_came_and_one_went_before_the_anchor_is_not_proven(self) -> None:
        source = still_list(9, order="last touched first")
        sweep = Sweep()
        sweep.take(source.page(0, 4))
        source.touch(8)
        source.delete(2)
        while not sweep.ended:
            sweep.take(source.page(sweep.offset, 4))

        assert proof(None, sweep) is None

    def test_whose_anchor_was_touched_is_not_proven_though_it_stands_where_it_stood(self) -> None:
        source = still_list(6, order="last touched first")
        sweep = Sweep()
        sweep.take(source.page(0, 3))  # rows 6 5 4; 4 is the anchor
        source.insert()
        source.insert()  # 8 7 6 5 4 3 2 1
        source.touch(4)  # 4 8 7 6 5 3 2 1
        source.delete(3)
        source.delete(3)  # 4 8 7 3 2 1: six rows, as before
        source.touch(3)
        source.touch(3)  # 7 3 4 8 2 1: 4 is third, as before, and 3 is hidden
        assert [record["id"] for record in source.page(2, 1).records] == ["row-4"]
        while not sweep.ended:
            sweep.take(source.page(sweep.offset, 3))

        assert len(sweep.ids) == sweep.total == 6
        assert proof(None, sweep) is None

    def test_that_hides_a_row_from_two_sweeps_in_the_same_way_is_not_proven(self) -> None:
        source = still_list(6, order="last touched first", total=lambda _count: None)
        sweeps = []
        for _ in range(2):
            sweep = Sweep()
            sweep.take(source.page(0, 3))  # rows 6 5 4
            source.touch(3)  # 3 jumps to the front, where nobody reads it
            while not sweep.ended:
                sweep.take(source.page(sweep.offset, 3))
            sweeps.append(sweep)
            for _row in (4, 5, 6):
                source.touch(3)  # until the order is 6 5 4 3 2 1 again

        assert len(sweeps[0].ids) == 5
        assert sweeps[0].ids == sweeps[1].ids
        assert proof(sweeps[0], sweeps[1]) is None
