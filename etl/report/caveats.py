"""Reasons to doubt the data. Pure."""

from datetime import timedelta
from typing import NamedTuple

from etl.enums import STATUSES_THAT_WROTE
from etl.report.data import ReportData
from etl.report.formatting import moment, plural, span
from etl.store.runs import age_of, is_in_future

_ENDED = {
    "failed": "failed",
    "refused": "was refused, because too much would have been deleted",
    "interrupted": "was interrupted",
    "partial": "ended, but a list was not proven complete, or the control plane offered less than before",
}


class Caveat(NamedTuple):
    """A reason why the data may be wrong or out of date; `quoted` is the error of a run."""

    text: str
    quoted: str
    advice: str


def caveats(data: ReportData, max_age: timedelta) -> list[Caveat]:
    """Return the reasons to doubt the data; empty if it is recent and proven complete."""
    return list(filter(None, (_of_last_run(data), _of_age(data, max_age), _of_rejects(data))))


def _of_last_run(data: ReportData) -> Caveat | None:
    run = next((each for each in data.history.runs if each["status"] != "running"), None)
    if run is None or run["complete"]:
        return None
    how = _ENDED.get(run["status"], "ended without a proof of completeness")
    shown = (
        "The figures below may lack records, and include records that the source has deleted."
        if run["status"] in STATUSES_THAT_WROTE
        else f"The figures below are from the previous run, of {moment(data.history.last_written['started_at'])} UTC."
    )
    return Caveat(
        f"The last run, of {moment(run['started_at'])} UTC, {how}. {shown}",
        run["error"] or "",
        "Run tfy-etl sync again; tfy-etl check tests each connection.",
    )


def _of_age(data: ReportData, max_age: timedelta) -> Caveat | None:
    seconds = age_of(data.history.scopes)
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
