"""Warnings about the data, and findings that need attention, each with the next step."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from etl.enums import WROTE
from etl.report.data import ReportData
from etl.report.formatting import moment, number, plural, span
from etl.store.runs import age_of, is_in_future

END_OF_LIFE = {
    "3.8": date(2024, 10, 31),
    "3.9": date(2025, 10, 31),
    "3.10": date(2026, 10, 31),
    "3.11": date(2027, 10, 31),
    "3.12": date(2028, 10, 31),
    "3.13": date(2029, 10, 31),
    "3.14": date(2030, 10, 31),
}
"""End of security support of each Python: the last day of the month that its PEP names."""

_LACKS = (
    ("creator", "a creator", "The source does not say who created them. Find an owner for them, or delete them."),
    (
        "description",
        "a description",
        "Ask their creators for one sentence: what it predicts, from which data, for whom.",
    ),
    ("tags", "a tag", "A tag says what a version is for. Without one, users cannot see which version to use."),
    ("empty", "any version", "These are often left over from a first try. Delete those that nobody needs."),
)
_ENDED = {
    "failed": "failed",
    "refused": "was refused, because too much would have been deleted",
    "interrupted": "was interrupted",
    "partial": "ended, but some records were rejected or a list was not proven complete",
}


class Caveat(NamedTuple):
    """A reason why the data may be wrong or out of date; `quoted` is the error of a run."""

    text: str
    quoted: str
    advice: str


class ActionItem(NamedTuple):
    """A finding: how many, of what, what to do, and the id of the section that lists them."""

    number: int
    what: str
    advice: str
    anchor: str


def is_end_of_life(python: str | None, today: date) -> bool:
    """Return whether a Python version, such as 3.9 or 3.9.18, is past its end of life."""
    minor = _minor(python or "")
    if minor is None:
        return False
    return minor < min(map(_known, END_OF_LIFE)) or today > END_OF_LIFE.get(f"{minor[0]}.{minor[1]}", today)


def warnings(data: ReportData, max_age: timedelta) -> list[Caveat]:
    """Return the reasons to doubt the data; empty if it is recent and proven complete."""
    return list(filter(None, (_of_last_run(data), _of_age(data, max_age), _of_rejects(data))))


def _of_last_run(data: ReportData) -> Caveat | None:
    run = next((each for each in data.runs if each["status"] != "running"), None)
    if run is None or run["complete"]:
        return None
    how = _ENDED.get(run["status"], "ended without a proof of completeness")
    shown = (
        "The figures below may lack records, and include records that the source has deleted."
        if run["status"] in WROTE
        else f"The figures below are from the previous run, of {moment(data.last_written['started_at'])} UTC."
    )
    return Caveat(
        f"The last run, of {moment(run['started_at'])} UTC, {how}. {shown}",
        run["error"] or "",
        "Run tfy-etl sync again; tfy-etl check tests each connection.",
    )


def _of_age(data: ReportData, max_age: timedelta) -> Caveat | None:
    seconds = age_of(data.scopes)
    if seconds is None:
        return Caveat(
            "No run was complete yet. Records that are missing here may exist at the source.",
            "",
            "Run tfy-etl sync without a filter, and check its result.",
        )
    if is_in_future(seconds):
        return Caveat(
            f"The last complete run is dated {span(-seconds)} in the future, so the age of this data is unknown.",
            "",
            "Set the clock of the machine that runs tfy-etl, and run tfy-etl sync.",
        )
    if seconds <= max_age.total_seconds():
        return None
    return Caveat(
        f"The last complete run was {span(seconds)} ago, but it should be at most {span(max_age.total_seconds())} ago.",
        "",
        "Check that the scheduled runs still start; tfy-etl status shows the last ones.",
    )


def _of_rejects(data: ReportData) -> Caveat | None:
    rejects = data.counts["open_rejects"]
    if not rejects:
        return None
    return Caveat(
        f"{plural(rejects, 'record')} of the source could not be stored, and {'is' if rejects == 1 else 'are'} not "
        "counted below.",
        "",
        "tfy-etl rejected list shows why; tfy-etl rejected retry fetches them again.",
    )


def attention(data: ReportData) -> list[ActionItem]:
    """Return the findings that need attention, those in production first."""
    return [item for look in (_in_production, _in_general) for item in look(data) if item.number]


def _in_production(data: ReportData) -> Iterator[ActionItem]:
    old = sum(found for python, found in data.production_pythons.items() if is_end_of_life(python, data.made_at.date()))
    yield _item(
        old,
        "production version",
        "on a Python past its end of life",
        "They no longer get security fixes. Rebuild them on a supported Python, then move the tag.",
        "production",
    )
    yield _item(
        data.production_counts["not_deployable"],
        "production version",
        "that the control plane cannot deploy",
        "To deploy them, log them again with a framework; otherwise remove the tag.",
        "production",
    )


def _in_general(data: ReportData) -> Iterator[ActionItem]:
    yield _item(
        data.stale.total,
        "model",
        f"without a new version for more than {number(data.stale_after.days)} days",
        "Ask their creators to retrain those in use and to delete the others.",
        "stale",
    )
    for lack, what, advice in _LACKS:
        yield _item(data.undocumented_counts[lack], "model", f"without {what}", advice, "undocumented")


def _item(count: int, noun: str, which: str, advice: str, anchor: str) -> ActionItem:
    return ActionItem(count, f"{noun if count == 1 else noun + 's'} {which}", advice, anchor)


def _known(minor: str) -> tuple[int, int]:
    major, _, rest = minor.partition(".")
    return int(major), int(rest)


def _minor(python: str) -> tuple[int, int] | None:
    parts = python.strip().split(".")
    wanted: Callable[[str], bool] = lambda part: part.isascii() and part.isdigit() and len(part) < 4  # noqa: E731, PLR2004
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and all(map(wanted, parts[:2])) else None
