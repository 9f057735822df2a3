"""SVG charts without styles or scripts: the style sheet of the page colours them."""

from collections.abc import Callable, Mapping, Sequence
from xml.etree import ElementTree as ET

import pygal
from markupsafe import Markup

from etl.report.formatting import number

_LABELS = {"wide": 6, "narrow": 4}
_SIZES = {"wide": (560, 240), "narrow": (340, 220)}
_SPARK = (150, 34)
_LETTER = 12  # pixels; the same as in the style sheet
_UNWANTED = {"defs", "title", "desc"}
"""Elements with pygal's styles and scripts, and text that a screen reader would read twice."""
_HOVER = {"plot text-overlay", "plot tooltip-overlay", "titles"}
"""Classes of elements that only pygal's script uses."""


def growth(days: Sequence[str], totals: Sequence[int], description: str) -> Markup:
    """Draw a running total, for wide and for narrow windows; `description` is its text alternative."""
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
    chart.add("", list(totals))  # a second line: the outline of an area falls to 0 at both ends
    return _svg(chart, f"chart {shape}", {"role": "img", "aria-label": description})


def spark(values: Sequence[float], marked: Callable[[int], bool]) -> Markup:
    """Draw a sparkline, with a dot at each index for which `marked` is true."""
    chart = _line(*_SPARK, margin=4, show_x_labels=False, show_y_labels=False, show_y_guides=False)
    dots = ({"r": 3.5 if marked(place) else 0} for place in range(len(values)))
    chart.add("", [{"value": value, "node": dot} for value, dot in zip(_between_0_and_1(values), dots, strict=True)])
    return _svg(chart, "spark", {"aria-hidden": "true"})


def _between_0_and_1(values: Sequence[float]) -> list[float]:
    """Scale the values to the range 0 to 1."""
    halves = [value / 2 for value in values]  # the difference of the values themselves may overflow
    least, most = min(halves), max(halves)
    return [(half - least) / (most - least) if most > least else 0.5 for half in halves]


def _line(width: int, height: int, **looks: object) -> pygal.Line:
    style = pygal.style.Style(label_font_size=_LETTER, major_label_font_size=_LETTER)
    common = {"js": (), "css": (), "no_prefix": True, "show_legend": False, "show_minor_x_labels": False}
    return pygal.Line(width=width, height=height, style=style, truncate_label=-1, **common, **looks)


def _svg(chart: pygal.Line, name: str, attributes: Mapping[str, str]) -> Markup:
    """Render a chart without the elements that the Content-Security-Policy blocks."""
    root = chart.render_tree()
    for parent in list(root.iter()):
        for child in list(parent):
            is_comment = not isinstance(child.tag, str)
            if is_comment or child.tag in _UNWANTED or child.get("class") in _HOVER:
                parent.remove(child)
    del root.attrib["id"]
    root.attrib.update({"class": name, **attributes})
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 it holds only numbers, dates and our own text


def _spread(labels: Sequence[str], most: int) -> list[str]:
    """Select at most `most` evenly spaced labels, beginning with the first."""
    step = max(1, -(-len(labels) // most))
    return list(labels[::step])


def _round_steps(top: int) -> list[int]:
    """Return about four round numbers from 0 up to `top`."""
    step = next(
        (size for power in range(12) for size in (10**power, 2 * 10**power, 5 * 10**power) if top <= 4 * size), top
    )
    return list(range(0, top + 1, step)) if top else [0]
