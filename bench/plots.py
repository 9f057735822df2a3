"""Draws the plots of docs/explanation/performance.md from bench/results.

python -m bench.plots
"""

import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.databases import DATABASES
from bench.measure import ROOT
from bench.runs import RESULTS, Result
from bench.tools import OURS, RUNS

FOLDER = ROOT / "docs" / "explanation" / "performance"

_OURS_COLOUR, _OTHERS_COLOUR = "#1f5fa8", "#b8bec6"
_COLOURS = ("#1f5fa8", "#d97a1d", "#4c9a5b", "#8a4fa3")
_STYLE = {
    "figure.facecolor": "white",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e8eb",
    "legend.frameon": False,
    # The same results give the same file.
    "svg.hashsalt": "tfy-etl",
}


def load_summary(name: str) -> Sequence[Result]:
    """Load the medians of a benchmark."""
    summary: list[Result] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["summary"]
    return summary


def compare() -> Figure:
    """Plot the wall seconds of each tool in each run."""
    figure, rows = plt.subplots(len(DATABASES), len(RUNS), figsize=(11, 5), layout="constrained", squeeze=False)
    for database, row in zip(DATABASES, rows, strict=True):
        for run, axes in zip(RUNS, row, strict=True):
            bars(axes, [each for each in load_summary("compare") if (each["database"], each["run"]) == (database, run)])
            axes.set_title(run, loc="left")
        row[0].set_ylabel(database, size=10, weight="bold")
    figure.supxlabel("wall seconds (median)", size=9)
    return figure


def bars(axes: Axes, summary: Sequence[Result]) -> None:
    """Draw a bar for each tool that succeeded, the first one on top."""
    succeeded = [each for each in reversed(summary) if "error" not in each]
    names = [each["tool"] for each in succeeded]
    container = axes.barh(
        names,
        [each["wall"] for each in succeeded],
        color=[_OURS_COLOUR if name == OURS.name else _OTHERS_COLOUR for name in names],
    )
    axes.bar_label(container, fmt="%.1f", padding=3)
    axes.margins(x=0.18)
    axes.grid(visible=False, axis="y")


def scaling() -> Figure:
    """Plot memory, time and requests by the size of the registry."""
    figure, row = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    figures = (("peak_mb", "peak memory, MB"), ("wall", "wall seconds"), ("requests", "requests"))
    for axes, (name, label) in zip(row, figures, strict=True):
        for colour, (key, points) in zip(_COLOURS, lines(load_summary("scaling"), ("database", "run")), strict=False):
            axes.plot(
                *zip(*((each["versions"], each[name]) for each in points), strict=True), "o-", label=key, c=colour
            )
        axes.set(xscale="log", title=label, xlabel="versions")
        if name == "peak_mb":
            axes.set_ylim(bottom=0)
        else:
            axes.set_yscale("log")
    row[0].legend(loc="lower right")
    return figure


def latency() -> Figure:
    """Plot wall seconds by concurrency for each latency; sequential tools are horizontal lines."""
    summary = load_summary("latency")
    latencies = sorted({each["latency_ms"] for each in summary})
    figure, row = plt.subplots(1, len(latencies), figsize=(11, 3.6), layout="constrained", squeeze=False)
    for axes, milliseconds in zip(row[0], latencies, strict=True):
        at_latency = [each for each in summary if each["latency_ms"] == milliseconds]
        for colour, (key, points) in zip(_COLOURS, lines(at_latency, ("tool",)), strict=False):
            if key == OURS.name:
                axes.plot(
                    *zip(*((each["concurrency"], each["wall"]) for each in points), strict=True),
                    "o-",
                    label=key,
                    c=colour,
                )
            else:
                axes.axhline(points[0]["wall"], ls="--", c=colour, label=key)
        axes.set(title=f"{milliseconds} ms before each answer", xlabel="requests under way")
        axes.set_xscale("log", base=2)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter("{x:.0f}")
    row[0][0].set_ylabel("wall seconds (median)")
    row[0][-1].legend(loc="best")
    return figure


def lines(summary: Sequence[Result], keys: Sequence[str]) -> list[tuple[str, list[Result]]]:
    """Return the name and the points of each line."""
    named: dict[str, list[Result]] = {}
    for each in summary:
        named.setdefault(", ".join(each[key] for key in keys), []).append(each)
    return list(named.items())


def main() -> None:
    """Draw all plots that have results."""
    FOLDER.mkdir(exist_ok=True)
    with mpl.rc_context(_STYLE):
        for draw in (compare, scaling, latency):
            if (RESULTS / f"{draw.__name__}.json").exists():
                save(draw(), FOLDER / f"{draw.__name__}.svg")


def save(figure: Figure, file: Path) -> None:
    """Write a plot without its date."""
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
