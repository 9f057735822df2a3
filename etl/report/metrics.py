"""Headline figures, growth, distributions and metrics, computed from the data. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from markupsafe import Markup

from etl.report import charts
from etl.report.data import LATELY, NAMES, Changes, ReportData, Series
from etl.report.formatting import number, plural, size

_DRAWN = timedelta(days=3652)
_DRAWN_BY_DAY = timedelta(days=62)  # longer periods are drawn by month
_MINUS = "\N{MINUS SIGN}"

KINDS = (
    ("Models created", "models", "created"),
    ("Models changed", "models", "updated"),
    ("Models deleted", "models", "deleted"),
    ("Models restored", "models", "restored"),
    ("Versions created", "model_versions", "created"),
    ("Versions changed", "model_versions", "updated"),
    ("Versions deleted", "model_versions", "deleted"),
    ("Versions restored", "model_versions", "restored"),
    ("Tags given", "model_versions", "tag_added"),
    ("Tags taken", "model_versions", "tag_removed"),
)


class Headline(NamedTuple):
    """A figure, with its change in the last run and recently; empty if that is not known."""

    label: str
    value: str
    last: str = ""
    lately: str = ""


def headline(data: ReportData) -> list[Headline]:
    """Return the headline figures."""
    counts, production = data.counts, data.production_counts

    def counted(label: str, entity: str) -> Headline:
        moved = (moves(found, entity) for found in (data.changed_last, data.changed_lately))
        return Headline(label, number(counts[entity]), *moved)

    entered = f"+{number(production['entered'])} entered" if production["entered"] else "none entered"
    return [
        counted("Models", "models"),
        counted("Versions", "model_versions"),
        Headline("Versions in production", number(production["versions"]), lately=entered),
        counted("ML repos", "ml_repos"),
        Headline("Size of artifacts", size(counts["bytes"])),
    ]


def moves(found: Changes, entity: str) -> str:
    """Return how many records were added and deleted, such as "+3 −1"."""
    came = found.get((entity, "created"), 0) + found.get((entity, "restored"), 0)
    went = found.get((entity, "deleted"), 0)
    parts = [f"+{number(came)}"] * bool(came) + [f"{_MINUS}{number(went)}"] * bool(went)
    return " ".join(parts) or "no change"


def lately(data: ReportData) -> str:
    """Return the name of the recent period."""
    if data.since > data.made_at - LATELY:
        return "on record"
    return f"last {LATELY.days} days"


class Growth(NamedTuple):
    """Running totals at the end of each day or month."""

    unit: str
    labels: list[str]
    models: list[int]
    versions: list[int]
    undated: int

    def rows(self) -> list[tuple[str, int, int]]:
        """Return label, models and versions of each day or month."""
        return list(zip(self.labels, self.models, self.versions, strict=True))

    def summary(self, totals: list[int], noun: str) -> str:
        """Describe one of the totals in a sentence."""
        if len(totals) == 1:
            return f"{plural(totals[0], noun)}, all of {self.labels[0]}."
        return f"{number(totals[0])} at the end of {self.labels[0]}, {number(totals[-1])} by {self.labels[-1]}."

    def chart(self, totals: list[int], noun: str) -> Markup:
        """Draw one of the totals."""
        return charts.growth(self.labels, totals, f"{noun.capitalize()}s: {self.summary(totals, noun)}")


def growth(data: ReportData) -> Growth:
    """Return running totals of the last ten years; older records count from their first day."""
    today = data.made_at.date()
    created: dict[date, list[int]] = defaultdict(lambda: [0, 0])
    for row in data.growth:
        day = max(date.fromisoformat(row["day"]), today - _DRAWN)
        if day <= today:
            created[day][0] += row["models_created"]
            created[day][1] += row["versions_created"]
    by_month = bool(created) and max(created) - min(created) > _DRAWN_BY_DAY
    sums: dict[str, list[int]] = {label: [0, 0] for label in _labels(created, by_month=by_month)}
    for day, made in created.items():
        label = _label(day, by_month=by_month)
        sums[label] = [before + more for before, more in zip(sums[label], made, strict=True)]
    models, versions = (list(accumulate(made[of] for made in sums.values())) for of in (0, 1))
    undated = data.counts["models"] + data.counts["model_versions"] - sum(map(sum, created.values()))
    return Growth("month" if by_month else "day", list(sums), models, versions, undated)


def _labels(days: Iterable[date], *, by_month: bool) -> list[str]:
    """Return every day or month from the first to the last, also those without new records."""
    numbers = [day.toordinal() for day in days]
    every = range(min(numbers), max(numbers) + 1) if numbers else ()
    return list(dict.fromkeys(_label(date.fromordinal(each), by_month=by_month) for each in every))


def _label(day: date, *, by_month: bool) -> str:
    return day.isoformat()[: len("2026-11") if by_month else None]


class Mix(NamedTuple):
    """The largest rows of a distribution, and a note about the others."""

    rows: list[dict[str, Any]]
    rest: str


def mix(rows: list[dict[str, Any]]) -> Mix:
    """Return the rows that fit next to each other."""
    others = len(rows) - NAMES
    return Mix(rows[:NAMES], f"; {number(others)} more are not shown" if others > 0 else "")


class MetricRow(NamedTuple):
    """A metric of a model: its value in production, and in the version before."""

    model_name: str | None
    key: str
    chart: Markup
    values: str
    now: float | None
    before: float | None
    change: float | None


def metric_rows(data: ReportData) -> list[MetricRow]:
    """Return each metric of the models that entered production last."""
    names = {row["model_id"]: row["model_name"] for row in data.production.rows}
    marked = defaultdict[str, set[int]](set)
    for row in data.production.rows:
        marked[row["model_id"]].add(row["version"])
    return [_metric_row(each, names[each.model_id], marked[each.model_id]) for each in data.metrics]


def _metric_row(series: Series, name: str | None, in_production: set[int]) -> MetricRow:
    versions = [version for version, _value in series.points]
    values = [value for _version, value in series.points]
    place = next((place for place in reversed(range(len(versions))) if versions[place] in in_production), None)
    now = None if place is None else values[place]
    before = values[place - 1] if place else None
    picture = charts.spark(values, lambda at: versions[at] in in_production)
    listed = ", ".join(f"version {version}: {number(value)}" for version, value in series.points)
    return MetricRow(
        name, series.key, picture, listed, now, before, None if now is None or before is None else now - before
    )
