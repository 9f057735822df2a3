"""Charts as SVG without style or script of their own: the page's style sheet colours them, in light, dark and print."""

from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree as ET

import pygal
from markupsafe import Markup

from etl.report.formatting import number

_LABELS = {"wide": 6, "narrow": 4}
_SIZES = {"wide": (560, 240), "narrow": (340, 220)}
_SPARK = (150, 34)
_LETTER = 12  # pixels; the style sheet says the same
_UNWANTED = {"defs", "title", "desc"}
"""Style and script of its own, and what a screen reader would read beside the words of ours."""
_HOVER = {"plot text-overlay", "plot tooltip-overlay", "titles"}
"""What only pygal's script brings to life."""


def growth(days: Sequence[str], totals: Sequence[int], description: str) -> Markup:
    """The running total by day or month, for wide windows and for narrow ones; `told` is the same in words."""
    return Markup("").join(_running_total(days, totals, description, shape) for shape in _SIZES)


def _running_total(labels: Sequence[str], totals: Sequence[int], description: str, shape: str) -> Markup:
    width, height = _SIZES[shape]
    chart = _line(
        width, height, margin=6, margin_right=_LETTER * 2, show_dots=False, range=(0, max(totals, default=0) or 1)
    )
    chart.x_labels = labels
    chart.x_labels_major = _spread(labels, _LABELS[shape])
    chart.y_labels = _round_steps(max(totals, default=0))
    chart.value_formatter = number
    chart.add("", list(totals), fill=True)
    chart.add("", list(totals))  # once more: an area's outline would go down at both ends
    return _svg(chart, f"chart {shape}", {"role": "img", "aria-label": description})


def spark(values: Sequence[float], marked: Callable[[int], bool]) -> Markup:
    """A line as small as a word; the values whose place is `marked` get a dot."""
    chart = _line(*_SPARK, margin=4, show_x_labels=False, show_y_labels=False, show_y_guides=False)
    dots = ({"r": 3.5 if marked(place) else 0} for place in range(len(values)))
    chart.add("", [{"value": value, "node": dot} for value, dot in zip(_between_0_and_1(values), dots, strict=True)])
    return _svg(chart, "spark", {"aria-hidden": "true"})


def _between_0_and_1(values: Sequence[float]) -> list[float]:
    """The same line in a range that can be drawn, whatever the values."""
    halves = [value / 2 for value in values]  # the span of the values themselves may be too large for a number
    least, most = min(halves), max(halves)
    return [(half - least) / (most - least) if most > least else 0.5 for half in halves]


def _line(width: int, height: int, **looks: object) -> pygal.Line:
    style = pygal.style.Style(label_font_size=_LETTER, major_label_font_size=_LETTER)
    common = {"js": (), "css": (), "no_prefix": True, "show_legend": False, "show_minor_x_labels": False}
    return pygal.Line(width=width, height=height, style=style, truncate_label=-1, **common, **looks)


def _svg(chart: pygal.Line, name: str, attributes: Mapping[str, str]) -> Markup:
    """What pygal drew, without what no page of ours lets through."""
    root = chart.render_tree()
    for parent in list(root.iter()):
        for child in list(parent):
            is_comment = not isinstance(child.tag, str)
            if is_comment or child.tag in _UNWANTED or child.get("class") in _HOVER:
                parent.remove(child)
    del root.attrib["id"]
    root.attrib.update({"class": name, **attributes})
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 numbers, dates and words of ours


def _spread(labels: Sequence[str], most: int) -> list[str]:
    """So many of the labels, evenly, the first among them."""
    step = max(1, -(-len(labels) // most))
    return list(labels[::step])


def _round_steps(top: int) -> list[int]:
    """Round numbers from 0 to just below the top, four or so."""
    step = next(
        (size for power in range(12) for size in (10**power, 2 * 10**power, 5 * 10**power) if top <= 4 * size), top
    )
    return list(range(0, top + 1, step)) if top else [0]
