"""Properties of sweeps: a proven read of a changing list misses no row that was present throughout."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import count, cycle
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.source.completeness.page import Page
from etl.source.completeness.sweep import Sweep, proof
from tests.support.load_factor import LOAD_FACTOR
from tests.unit.source.lists import HIDDEN_ORDERS, ORDERS, REPAIRABLE, MovingList, Order, PageLengthAsTotal, still_list

pytestmark = pytest.mark.slow

CHANGES = [(kind, position) for kind in ("insert", "delete", "touch") for position in range(60)]
mutations = st.lists(st.tuples(st.sampled_from(["insert", "delete", "touch"]), st.integers(0, 99)), max_size=4)
totals: st.SearchStrategy[Callable[[int], int | None]] = st.sampled_from(
    [lambda count: count, lambda count: count, lambda _count: None]
)
orders = st.sampled_from((*ORDERS, *HIDDEN_ORDERS))
# Short lists find faults of a few rows, long lists those that need a certain order.
moving_lists = st.builds(
    still_list, st.one_of(st.integers(0, 14), st.integers(30, 90)), order=orders, total=totals, shuffling=st.randoms()
)
limits = st.one_of(st.integers(1, 6), st.integers(14, 24))
scripts = st.lists(mutations, max_size=30)


def change(source: MovingList, changes: list[tuple[str, int]]) -> None:
    for kind, position in changes:
        getattr(source, kind)(position)


def read(
    source: MovingList, limit: int, script: Iterable[list[tuple[str, int]]], choices: Iterable[int] = (), ahead: int = 1
) -> tuple[str | None, set[str], int, int]:
    """Read a list that changes after each request, with pages in the given order.

    Returns the proof, the ids seen, and the numbers of sweeps and requests.
    """
    remaining, chosen = iter(script), iter(choices)
    seen, requests = set[str](), 0
    previous: Sweep | None = None

    def page_at(offset: int) -> Page:
        nonlocal requests
        requests += 1
        page = source.page(offset, limit)
        change(source, next(remaining, []))
        return page

    for sweeps in (1, 2, 3):
        sweep, fetched = Sweep(), dict[int, Page]()
        while not sweep.ended:
            wanted = sweep.upcoming(ahead)
            fetched = {offset: page for offset, page in fetched.items() if offset in wanted}
            while sweep.offset not in fetched:
                missing = [offset for offset in wanted if offset not in fetched]
                offset = missing[next(chosen, 0) % len(missing)]
                fetched[offset] = page_at(offset)
            seen |= {record["id"] for record in sweep.take(fetched.pop(sweep.offset)).new_records}
            while sweep.wanted is not None:
                seen |= {record["id"] for record in sweep.repair(page_at(sweep.wanted)).records}
        if found := proof(previous, sweep):
            return found, seen, sweeps, requests
        previous = sweep
    return None, seen, 3, requests


class TestAListThatChanges:
    @settings(max_examples=300 * LOAD_FACTOR)
    @given(moving_lists, limits, scripts)
    def test_hides_no_row_present_throughout_a_proven_read(
        self, source: MovingList, limit: int, script: list[list[tuple[str, int]]]
    ) -> None:
        throughout = source.ids()

        proven, seen, _, _ = read(source, limit, script)

        if proven:
            assert throughout - source.deleted_ids <= seen

    @settings(max_examples=300 * LOAD_FACTOR)
    @given(moving_lists, limits, scripts, st.lists(st.integers(0, 3), max_size=40))
    def test_hides_no_row_if_workers_read_later_pages_first(
        self, source: MovingList, limit: int, script: list[list[tuple[str, int]]], choices: list[int]
    ) -> None:
        throughout = source.ids()

        proven, seen, _, _ = read(source, limit, script, choices, ahead=4)

        if proven:
            assert throughout - source.deleted_ids <= seen

    def test_hides_no_row_in_thousands_of_random_reads(self) -> None:
        """Hypothesis prefers few rows and short scripts; in these longer lists, sweeps need repairs."""
        proven = Counter[tuple[str, int]]()
        for seed in range(1500 * LOAD_FACTOR):
            rng = Random(seed)  # noqa: S311 reproducible from its seed
            order = rng.choice((*ORDERS, *HIDDEN_ORDERS))
            source = still_list(rng.randint(20, 60), order=order, shuffling=rng)
            throughout = source.ids()

            def work(rng: Random = rng, order: Order = order) -> Iterator[list[tuple[str, int]]]:
                # A change that leaves no trace can be detected only while few rows change at once.
                quiet, maximum = (5, 1) if order in HIDDEN_ORDERS else (rng.randint(0, 5), rng.choice((1, 3, 20)))
                favourites = rng.sample(CHANGES, rng.randint(1, 3))
                while True:
                    busy = rng.randrange(quiet + 1) == 0
                    yield rng.choices(favourites, k=rng.randint(1, maximum)) if busy else []

            limit, ahead = rng.randint(13, 20), rng.randint(1, 4)
            choices = (rng.randrange(4) for _ in count())
            found, seen, sweeps, _ = read(source, limit, work(), choices, ahead)
            if found:
                proven[order, sweeps] += 1
                assert throughout - source.deleted_ids <= seen, (seed, order)

        assert all(proven[order, 1] > 20 * LOAD_FACTOR for order in REPAIRABLE), proven

    @given(
        st.sampled_from(REPAIRABLE),
        st.lists(st.tuples(st.sampled_from(["insert", "delete", "touch"]), st.integers(0, 199)), max_size=3),
        st.integers(0, 11),
        st.integers(1, 4),
    )
    def test_now_and_then_is_repaired_in_the_same_sweep_by_a_few_requests(
        self, order: Order, changes: list[tuple[str, int]], when: int, ahead: int
    ) -> None:
        script = [*([[]] * when), *([change] for change in changes)]
        quiet = read(still_list(200, order=order), 20, ())
        assert quiet[2:] == (1, 11)

        proven, _, sweeps, requests = read(still_list(200, order=order), 20, script, ahead=ahead)

        assert (proven, sweeps) == ("anchored", 1)
        assert requests <= quiet[3] + 2 * len(changes) + 3

    def test_at_every_request_is_proven_if_it_is_sorted(self) -> None:
        for order in REPAIRABLE:
            source = still_list(200, order=order)
            throughout = source.ids()

            proven, seen, sweeps, requests = read(
                source, 20, cycle([[("insert", 0)], [("delete", 77)], [("touch", 150)]])
            )

            assert (proven, sweeps) == ("anchored", 1), order
            assert throughout - source.deleted_ids <= seen
            assert requests < 2 * 12

    def test_in_which_rows_are_renamed_is_not_proven_if_a_row_was_missed(self) -> None:
        proven = Counter[str | None]()
        for seed in range(500 * LOAD_FACTOR):
            rng = Random(seed)  # noqa: S311 reproducible from its seed
            source = still_list(rng.choice((30, 60, 120)), order="by name")
            throughout = source.ids()
            renames = ([("rename", rng.randrange(120))] if rng.random() < 0.15 else [] for _ in count())
            found, seen, _, _ = read(source, rng.choice((7, 20)), renames, ahead=rng.choice((1, 4)))
            proven[found] += 1
            assert found is None or throughout <= seen, seed

        assert proven["anchored"] > 20 * LOAD_FACTOR, proven

    def test_whose_total_is_the_length_of_the_page_is_not_proven_if_a_row_was_missed(self) -> None:
        for seed in range(1000 * LOAD_FACTOR):
            rng = Random(seed)  # noqa: S311 reproducible from its seed
            source = still_list(rng.choice((30, 60)), PageLengthAsTotal, order="last touched first")
            throughout = source.ids()
            touches = ([("touch", rng.randrange(60))] * (rng.random() < 0.5) for _ in count())
            found, seen, _, _ = read(source, rng.choice((3, 4, 5, 7)), touches, ahead=rng.choice((1, 4)))
            assert found != "anchored" or throughout <= seen, seed

    def test_that_lost_a_row_before_the_anchor_is_not_proven(self) -> None:
        source = still_list(9)
        sweep = Sweep()
        sweep.take(source.page(0, 4))
        source.delete(0)
        while not sweep.ended:
            sweep.take(source.page(sweep.offset, 4))

        assert proof(None, sweep) is None

    def test_that_gained_and_lost_a_row_before_the_anchor_is_not_proven(self) -> None:
        source = still_list(9, order="last touched first")
        sweep = Sweep()
        sweep.take(source.page(0, 4))
        source.touch(8)
        source.delete(2)
        while not sweep.ended:
            sweep.take(source.page(sweep.offset, 4))

        assert proof(None, sweep) is None

    def test_whose_anchor_was_touched_but_kept_its_place_is_not_proven(self) -> None:
        source = still_list(6, order="last touched first")
        sweep = Sweep()
        sweep.take(source.page(0, 3))  # rows 6 5 4; 4 is the anchor
        source.insert()
        source.insert()  # 8 7 6 5 4 3 2 1
        source.touch(4)  # 4 8 7 6 5 3 2 1
        source.delete(3)
        source.delete(3)  # 4 8 7 3 2 1: six rows, as before
        source.touch(3)
        source.touch(3)  # 7 3 4 8 2 1: 4 is third, as before, and 3 is missed
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
            source.touch(3)  # 3 jumps to the front, which has been read already
            while not sweep.ended:
                sweep.take(source.page(sweep.offset, 3))
            sweeps.append(sweep)
            for _row in (4, 5, 6):
                source.touch(3)  # until the order is 6 5 4 3 2 1 again

        assert len(sweeps[0].ids) == 5
        assert sweeps[0].ids == sweeps[1].ids
        assert proof(sweeps[0], sweeps[1]) is None
