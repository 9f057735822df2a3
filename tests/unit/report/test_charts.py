import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from etl.report import charts

SVG = "{http://www.w3.org/2000/svg}"


def line_of(svg: str) -> list[tuple[float, float]]:
    """Return the points of the last line."""
    paths = [path for path in ET.fromstring(svg).iter(f"{SVG}path") if "reactive" in path.get("class", "")]
    numbers = [float(each) for each in re.findall(r"-?[\d.]+", paths[-1].get("d", ""))]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_growth_is_drawn_for_wide_and_for_narrow_windows_with_its_words() -> None:
    drawn = charts.growth(["2026-01", "2026-02", "2026-03"], [0, 50, 100], "Models: 0, then 100.")
    wide, narrow = (f"{each}</svg>" for each in drawn.split("</svg>")[:2])
    for svg, name in ((wide, "chart wide"), (narrow, "chart narrow")):
        root = ET.fromstring(svg)
        assert (root.get("class"), root.get("role")) == (name, "img")
        assert root.get("aria-label") == "Models: 0, then 100."
        (left, low), (middle, half), (right, high) = line_of(svg)
        assert left < middle < right
        assert abs((low + high) / 2 - half) < 0.01
        assert high < low
    assert ">50</text>" in wide


def test_no_chart_brings_style_script_or_titles_of_its_own() -> None:
    svg = charts.growth(["a"], [1], "text") + charts.spark([1, 2], lambda _place: True)
    assert not re.search(r"<(style|script|title|desc|defs|!--)|\bstyle=|\bon\w+=|\bid=", svg)


def test_a_long_time_has_few_labels() -> None:
    labels = [f"{number:04}-01" for number in range(121)]
    drawn = charts.growth(labels, list(range(121)), "text")
    assert [len(re.findall(r">\d{4}-01</text>", svg)) for svg in drawn.split("</svg>")[:2]] == [6, 4]


def test_growth_chart_of_zero_is_drawn() -> None:
    assert charts.growth(["2026-01"], [0], "text").count("<svg") == 2


def test_spark_marks_the_selected_values() -> None:
    svg = charts.spark([1.0, 3.0, 2.0], lambda place: place == 2)
    assert [dot.get("r") for dot in ET.fromstring(svg).iter(f"{SVG}circle")] == ["0", "0", "3.5"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=24))
def test_any_finite_values_are_drawn_inside_the_picture_and_in_their_order(values: list[float]) -> None:
    points = line_of(charts.spark(values, lambda _place: False))
    assert len(points) == len(values)
    assert all(-0.01 <= x <= 150 and -0.01 <= y <= 34 for x, y in points)
    highest = min(y for _x, y in points)
    assert abs(points[values.index(max(values))][1] - highest) < 0.01
