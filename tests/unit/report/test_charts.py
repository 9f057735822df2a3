import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.report import charts


def points_of(path: str) -> list[tuple[float, float]]:
    numbers = [float(each) for each in re.findall(r"-?[\d.]+", path)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_running_total_is_drawn_to_scale_for_wide_and_for_narrow_windows() -> None:
    wide, narrow = charts.running_total(["2026-01", "2026-02", "2026-03"], [0, 50, 100], marked=1)
    for plot, shape in ((wide, "wide"), (narrow, "narrow")):
        (left, low), (middle, half), (right, high) = points_of(plot.line)
        assert (plot.shape, plot.left, plot.floor) == (shape, left, low)
        assert abs((left + right) / 2 - middle) < 0.1
        assert abs((low + high) / 2 - half) < 0.1
        assert plot.marker == middle
        assert plot.area.startswith(plot.line)
    assert [tick.text for tick in wide.y_ticks] == ["0", "50", "100"]
    assert wide.y_ticks[-1].at == points_of(wide.line)[-1][1]


def test_a_long_time_has_few_labels_inside_the_picture() -> None:
    labels = [f"{number:04}-01" for number in range(121)]
    for plot, maximum in zip(charts.running_total(labels, list(range(121))), (6, 3), strict=True):
        assert len(plot.x_ticks) == maximum
        assert plot.x_ticks[0].anchor == "start"
        assert all(tick.anchor == "end" for tick in plot.x_ticks if tick.at + 25 > plot.width)


@pytest.mark.parametrize("months", [5, 7, 9, 17, 37, 121])
def test_labels_of_the_time_do_not_touch_each_other(months: int) -> None:
    labels = [f"20{number // 12:02}-{number % 12 + 1:02}" for number in range(months)]
    for plot in charts.running_total(labels, [50_000] * months):
        offsets = {"start": 0.0, "middle": 0.5, "end": 1.0}
        starts = [tick.at - offsets[tick.anchor] * 7.2 * len(tick.text) for tick in plot.x_ticks]
        assert len(starts) >= 2
        assert all(after - before > 7.2 * len("2026-01") for before, after in pairwise(starts))


def test_running_total_of_one_month_or_of_zeros_is_drawn() -> None:
    for totals in ([0], [0, 0], [7]):
        plot = charts.running_total(["2026-01"] * len(totals), totals)[0]
        assert len(points_of(plot.line)) == len(totals)
        assert plot.y_ticks[0].text == "0"


@given(st.integers(0, 10**15))
def test_steps_of_an_axis_are_few_and_reach_its_highest_value(top: int) -> None:
    steps = charts.round_steps(top)
    assert steps[0] == 0
    assert top <= steps[-1]
    assert 2 <= len(steps) <= 5


def test_columns_are_as_high_as_their_value_and_unknown_ones_are_marked() -> None:
    columns = charts.columns([None, 0, 1, 4], ["a", "b", "c", "d"], 100, 40)
    assert [(each.value, each.height, each.is_known) for each in columns] == [
        (0, 0.0, False), (0, 0.0, True), (1, 10.0, True), (4, 40.0, True),
    ]  # fmt: skip
    assert all(each.y + each.height == 40 for each in columns)
    assert [each.height for each in charts.columns([10_000, 1], ["a", "b"], 100, 40)] == [40.0, 1.5]


def test_spark_marks_the_selected_values() -> None:
    spark = charts.spark([1.0, 3.0, 2.0], [2])
    assert spark.dots == [points_of(spark.line)[2]]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=24))
def test_any_finite_values_are_drawn_inside_the_picture_and_in_their_order(values: list[float]) -> None:
    points = points_of(charts.spark(values, []).line)
    assert len(points) == len(values)
    assert all(0 <= x <= 150 and 0 <= y <= 34 for x, y in points)
    assert points[values.index(max(values))][1] == min(y for _x, y in points)
