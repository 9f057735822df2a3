"""The weeks of the activity charts: each begins on a Monday, in UTC. Pure."""

from datetime import UTC, date, datetime, time, timedelta

from etl.report.data import WEEKS

_WEEK = timedelta(days=7)


def monday(day: date) -> date:
    """Return the first day of a day's week."""
    return day - timedelta(days=day.weekday())


def weeks(made_at: datetime) -> list[date]:
    """Return the first days of the weeks up to a moment, oldest first."""
    last = monday(made_at.astimezone(UTC).date())
    return [last - _WEEK * back for back in reversed(range(WEEKS))]


def first_day(made_at: datetime) -> datetime:
    """Return the beginning of the oldest of these weeks."""
    return datetime.combine(weeks(made_at)[0], time(), UTC)
