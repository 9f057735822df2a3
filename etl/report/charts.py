"""The geometry of the charts, which templates draw as SVG. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from etl.report.formatting import number

_TOP, _BOTTOM, _RIGHT = 18, 24, 10  # pixels around the plot
_LETTER = 7.2  # width of a digit
_GAP = 8  # between labels
_SPARK = (150, 34, 4)


class Tick(NamedTuple):
    """A place on an axis, with its label; `anchor` is the part of the label that is at the place."""

    at: float
    text: str
    anchor: str = "middle"


class Plot(NamedTuple):
    """A line over an area, with its axes; `marker` is the place of a vertical line."""

    shape: str
    width: int
    height: int
    left: float
    floor: float
    line: str
    area: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    marker: float | None


class Column(NamedTuple):
    """A column of a chart. `is_known` is false for a period without records."""

    x: float
    y: float
    width: float
    height: float
    label: str
    value: int
    is_known: bool


class Spark(NamedTuple):
    """A small line without axes, and the places of its dots."""

    width: int
    height: int
    line: str
    dots: list[tuple[float, float]]


class _Shape(NamedTuple):
    name: str
    width: int
    height: int
    labels: int


_SHAPES = (_Shape("wide", 560, 230, 6), _Shape("narrow", 340, 200, 4))


def running_total(labels: Sequence[str], totals: Sequence[int], marked: int | None = None) -> list[Plot]:
    """Return the chart of a running total for wide and for narrow windows, with a marker at an index."""
    return [_plot(shape, labels, totals, marked) for shape in _SHAPES]


def _plot(shape: _Shape, labels: Sequence[str], totals: Sequence[int], marked: int | None) -> Plot:
    steps = round_steps(max(totals, default=0))
    highest = max(*totals, steps[-1])
    left = round(_LETTER * len(number(steps[-1])) + 10, 1)
    floor = shape.height - _BOTTOM
    across = (shape.width - left - _RIGHT) / max(len(totals) - 1, 1)

    def x(place: int) -> float:
        return round(left + place * across, 1)

    def y(value: int) -> float:
        return round(floor - value / highest * (floor - _TOP), 1)

    line = _path([(x(place), y(value)) for place, value in enumerate(totals)])
    return Plot(
        shape=shape.name,
        width=shape.width,
        height=shape.height,
        left=left,
        floor=floor,
        line=line,
        area=f"{line}V{floor}H{left}Z" if line else "",
        x_ticks=_apart(
            _x_tick(x(place), labels[place], shape.width, place) for place in _spread(len(labels), shape.labels)
        ),
        y_ticks=[Tick(y(step), number(step)) for step in steps],
        marker=None if marked is None else x(marked),
    )


def _x_tick(at: float, text: str, width: int, place: int) -> Tick:
    """Return a tick whose label does not leave the picture."""
    half = len(text) * _LETTER / 2
    return Tick(at, text, "start" if place == 0 else "end" if at + half > width else "middle")


def _apart(ticks: Iterable[Tick]) -> list[Tick]:
    """Return the ticks whose labels do not touch the one before."""
    found, free_from = list[Tick](), 0.0
    for tick in ticks:
        width = len(tick.text) * _LETTER
        begin = tick.at - {"start": 0, "middle": width / 2, "end": width}[tick.anchor]
        if begin >= free_from:
            found.append(tick)
            free_from = begin + width + _GAP
    return found


def columns(values: Sequence[int | None], labels: Sequence[str], width: float, height: float) -> list[Column]:
    """Return a column for each value, as high as the plot for the largest; None is not known."""
    across, most = width / max(len(values), 1), max(filter(None, values), default=1)
    made = []
    for place, (value, label) in enumerate(zip(values, labels, strict=True)):
        high = max(height * value / most, 1.5) if value else 0.0  # the smallest is seen, too
        x, y = round(place * across + 1, 1), round(height - high, 1)
        made.append(Column(x, y, round(across - 2, 1), round(high, 1), label, value or 0, value is not None))
    return made


def spark(values: Sequence[float], marked: Sequence[int]) -> Spark:
    """Return a small line, with a dot at each of the marked indices."""
    width, height, margin = _SPARK
    across = (width - 2 * margin) / max(len(values) - 1, 1)
    points = [
        (round(margin + place * across, 1), round(height - margin - share * (height - 2 * margin), 1))
        for place, share in enumerate(_between_0_and_1(values))
    ]
    return Spark(width, height, _path(points), [points[place] for place in marked])


def _between_0_and_1(values: Sequence[float]) -> list[float]:
    """Scale the values to the range 0 to 1."""
    halves = [value / 2 for value in values]  # the difference of the values themselves may overflow
    least, most = min(halves), max(halves)
    return [(half - least) / (most - least) if most > least else 0.5 for half in halves]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if points else ""


def _spread(count: int, most: int) -> range:
    """Return at most `most` evenly spaced indices, beginning with the first."""
    return range(0, count, max(1, -(-count // most)))


def round_steps(top: int) -> list[int]:
    """Return up to five round numbers from 0 to `top` or a little more."""
    sizes = (size for power in range(18) for size in (10**power, 2 * 10**power, 5 * 10**power))
    step = next(size for size in sizes if top <= 4 * size)
    return list(range(0, max(top, 1) + step, step))
