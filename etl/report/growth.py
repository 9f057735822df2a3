"""Models and versions over time, deleted ones included while they were there. Pure."""

from collections import defaultdict
from datetime import UTC, date, timedelta
from itertools import accumulate
from typing import NamedTuple

from etl.report import charts
from etl.report.data import ReportData
from etl.report.formatting import number, plural

_DRAWN = timedelta(days=3652)
_DRAWN_BY_DAY = timedelta(days=62)  # longer periods are drawn by month
_DAY = timedelta(days=1)
_ENTITIES = ("models", "model_versions")


class Growth(NamedTuple):
    """The number of records that were there at the end of each day or month, up to the present."""

    unit: str
    labels: list[str]
    models: list[int]
    versions: list[int]
    first_run: int | None
    """The index of the day or month of the first run; None if it is the first, before which nothing is drawn."""
    deleted: int
    """The number of records that were found deleted, and are not back."""

    def rows(self) -> list[tuple[str, int, int]]:
        """Return label, models and versions of each day or month, newest first."""
        return list(zip(self.labels, self.models, self.versions, strict=True))[::-1]

    def summary(self, totals: list[int], noun: str) -> str:
        """Describe one of the totals in a sentence."""
        back, ago = (12, "a year ago") if self.unit == "month" else (30, "30 days ago")
        parts = [f"{plural(totals[-1], noun)} now"]
        if len(totals) > back:
            more = totals[-1] - totals[-1 - back]
            parts += [
                f"{number(abs(more))} {'more' if more > 0 else 'fewer'} than {ago}" if more else f"the same as {ago}"
            ]
        if max(totals) > totals[-1]:
            parts += [f"{number(max(totals))} at the highest"]
        return f"{', '.join(parts)}."

    def plots(self, totals: list[int]) -> list[charts.Plot]:
        """Return the chart of one of the totals, for wide and for narrow windows."""
        return charts.running_total(self.labels, totals, self.first_run)


def growth(data: ReportData) -> Growth | None:
    """Return the totals of the last ten years; None if nothing was ever there. Older records count from their first."""
    today = data.made_at.astimezone(UTC).date()
    first = today - _DRAWN
    changes: dict[date, list[int]] = defaultdict(lambda: [0, 0])
    for row in data.activity.daily_counts:
        day = min(max(date.fromisoformat(row["day"]), first), today)  # a clock may have been wrong
        changes[day][_ENTITIES.index(row["entity"])] += row["created"] + row["restored"] - row["deleted"]
    if not changes:
        return None
    by_month = today - min(changes) > _DRAWN_BY_DAY
    begin = min(changes)
    labels = _labels(begin if begin == first else _before(begin, by_month=by_month), today, by_month=by_month)
    sums: dict[str, list[int]] = {label: [0, 0] for label in labels}
    for day, moved in changes.items():
        label = _label(day, by_month=by_month)
        sums[label] = [before + more for before, more in zip(sums[label], moved, strict=True)]
    models, versions = (list(accumulate(each[place] for each in sums.values())) for place in (0, 1))
    run_label = _label(data.counts["first_run_at"].astimezone(UTC).date(), by_month=by_month)
    return Growth(
        unit="month" if by_month else "day",
        labels=labels,
        models=models,
        versions=versions,
        first_run=labels.index(run_label) if run_label in labels[2:] else None,
        deleted=sum(row["deleted"] - row["restored"] for row in data.activity.daily_counts),
    )


def _before(day: date, *, by_month: bool) -> date:
    """Return a day of the day or month before, at whose end nothing was there."""
    return (day.replace(day=1) if by_month else day) - _DAY


def _labels(first: date, last: date, *, by_month: bool) -> list[str]:
    """Return each day or month from the first to the last."""
    every = range(first.toordinal(), last.toordinal() + 1)
    return list(dict.fromkeys(_label(date.fromordinal(each), by_month=by_month) for each in every))


def _label(day: date, *, by_month: bool) -> str:
    return day.isoformat()[: len("2026-11") if by_month else None]
