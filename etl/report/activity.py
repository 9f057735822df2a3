"""Activity by week. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple

from etl.changes import name, sentence
from etl.report import charts
from etl.report.data import ReportData
from etl.report.weeks import monday, weeks

_WIDTH, _HEIGHT = 260.0, 56.0


class Panel(NamedTuple):
    """A kind of event, by week; None is a week of which no changes are recorded."""

    title: str
    values: list[int | None]
    columns: list[charts.Column]

    @property
    def total(self) -> int:
        """The number of events of all weeks."""
        return sum(filter(None, self.values))


class Activity(NamedTuple):
    """The events of the last weeks, by kind; `labels` are the first days of the weeks."""

    labels: list[str]
    panels: list[Panel]

    @property
    def rows(self) -> list[tuple[str, list[int | None]]]:
        """Return each week with its number of events of each kind, newest first."""
        return [(label, [each.values[place] for each in self.panels]) for place, label in enumerate(self.labels)][::-1]

    @property
    def has_unknown(self) -> bool:
        """Whether no changes are recorded of some weeks."""
        return any(value is None for each in self.panels for value in each.values)

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return not any(each.total for each in self.panels)


class FeedItem(NamedTuple):
    """A change: when a run found it, the name of the record, and what happened to it."""

    at: datetime
    name: str
    text: str
    is_first_of_run: bool


def feed(data: ReportData, redact: Callable[[str], str]) -> list[FeedItem]:
    """Return the newest changes in the words of `tfy-etl changes`."""
    items, run_id = list[FeedItem](), None
    for change in data.activity.feed:
        named, said = name(change, redact), sentence(change, redact)
        text, is_first = said.removeprefix(f"{named}: "), change.run_id != run_id
        items.append(FeedItem(change.observed_at or data.made_at, named, text, is_first))
        run_id = change.run_id
    return items


def activity(data: ReportData) -> Activity:
    """Return the activity of the last weeks.

    Events without a date at the source are known only since changes are recorded. A creation is known by its date.
    """
    days, recorded_from = weeks(data.made_at), monday(data.recorded_from.astimezone(UTC).date())
    daily_counts, periods = data.activity.daily_counts, data.production.periods
    entered = _weekly((row["valid_from"], 1) for row in periods if row["valid_from_is_exact"])
    left = _weekly((row["valid_to"], 1) for row in periods if row["valid_to"] is not None)

    def of(entities: tuple[str, ...], kind: str) -> Counter[date]:
        return _weekly((row["day"], row[kind]) for row in daily_counts if row["entity"] in entities)

    both = ("models", "model_versions")
    kinds: dict[str, tuple[Counter[date], bool]] = {
        "Models created": (of(("models",), "created"), True),
        "Versions created": (of(("model_versions",), "created"), True),
        "Entered production": (entered, False),
        "Left production": (left, False),
        "Tags added or removed": (_weekly((row["day"], row["number"]) for row in data.activity.tags), False),
        "Models and versions deleted": (of(both, "deleted"), False),
    }
    labels = [day.isoformat() for day in days]
    return Activity(
        labels, [_panel(title, counted, labels, days, recorded_from if not dated else None)
                 for title, (counted, dated) in kinds.items()]
    )  # fmt: skip


def _panel(title: str, counted: Mapping[date, int], labels: list[str], days: list[date], since: date | None) -> Panel:
    values = [None if since is not None and day < since else counted.get(day, 0) for day in days]
    return Panel(title, values, charts.columns(values, labels, _WIDTH, _HEIGHT))


def _weekly(events: Iterable[tuple[str | datetime, int]]) -> Counter[date]:
    counted = Counter[date]()
    for at, number in events:
        day = at.astimezone(UTC).date() if isinstance(at, datetime) else date.fromisoformat(at)
        counted[monday(day)] += number
    return counted
