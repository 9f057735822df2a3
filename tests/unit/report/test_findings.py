from datetime import date, timedelta

import pytest

from etl.report import findings
from etl.report.findings import END_OF_LIFE, ActionItem, is_end_of_life
from etl.store.queries.report import TopRows
from etl.store.runs import age_of
from tests.unit.report.builders import NOW, a_run, a_scope, report_data

DAY = timedelta(days=1)


def test_recent_complete_data_has_no_warnings() -> None:
    assert findings.warnings(report_data(), DAY) == []


@pytest.mark.parametrize(
    ("status", "how"),
    [
        ("failed", "failed"),
        ("refused", "was refused, because too much would have been deleted"),
        ("interrupted", "was interrupted"),
    ],
)
def test_last_run_that_wrote_nothing_warns_and_quotes_its_error(status: str, how: str) -> None:
    (warned,) = findings.warnings(report_data(runs=[a_run(status=status, complete=False, error="Why."), a_run()]), DAY)
    assert warned.text == (
        f"The last run, of 2026-11-26 11:00 UTC, {how}. "
        "The figures below are from the previous run, of 2026-11-26 11:00 UTC."
    )
    assert warned.quoted == "Why."


def test_incomplete_last_run_warns_of_missing_and_deleted_records() -> None:
    for status in ("partial", "succeeded"):
        (warned,) = findings.warnings(report_data(runs=[a_run(status=status, complete=False)]), DAY)
        assert "may lack records, and include records that the source has deleted" in warned.text


def test_running_run_gives_no_warning() -> None:
    assert findings.warnings(report_data(runs=[a_run(status="running", complete=False), a_run()]), DAY) == []


def test_data_older_than_max_age_warns() -> None:
    old = report_data(scopes=[a_scope(age_seconds=3 * 86_400.0)])
    (warned,) = findings.warnings(old, DAY)
    assert warned.text == "The last complete run was 3 days ago, but it should be at most 24 hours ago."
    assert findings.warnings(old, 3 * DAY) == []


def test_no_complete_run_warns() -> None:
    (warned,) = findings.warnings(report_data(scopes=[]), DAY)
    assert warned.text.startswith("No run was complete yet.")


def test_age_is_that_of_the_scope_all_or_else_of_the_oldest_scope() -> None:
    some = [a_scope(scope="one", age_seconds=5.0), a_scope(scope="two", age_seconds=9.0)]
    assert age_of(report_data(scopes=some).scopes) == 9.0
    assert age_of(report_data(scopes=[*some, a_scope(age_seconds=1.0)]).scopes) == 1.0
    assert age_of(report_data(scopes=[]).scopes) is None


def test_rejected_records_warn_with_their_number() -> None:
    counts = report_data().counts
    (one,) = findings.warnings(report_data(counts=counts | {"open_rejects": 1}), DAY)
    (two,) = findings.warnings(report_data(counts=counts | {"open_rejects": 2}), DAY)
    assert one.text == "1 record of the source could not be stored, and is not counted below."
    assert two.text == "2 records of the source could not be stored, and are not counted below."


def test_attention_lists_only_findings_with_a_count() -> None:
    found = findings.attention(
        report_data(
            production_pythons={"3.9.2": 2, "3.8": 1, "3.12.1": 7, "": 3},
            production_counts=report_data().production_counts | {"not_deployable": 1},
            stale=TopRows([], 0),
            undocumented_counts={"description": 5, "creator": 1, "tags": 0, "empty": 2},
        )
    )
    assert [(item.number, item.what, item.anchor) for item in found] == [
        (3, "production versions on a Python past its end of life", "production"),
        (1, "production version that the control plane cannot deploy", "production"),
        (1, "model without a creator", "undocumented"),
        (5, "models without a description", "undocumented"),
        (2, "models without any version", "undocumented"),
    ]
    assert all(item.advice for item in found)


def test_stale_models_are_counted_beyond_those_listed() -> None:
    item = findings.attention(report_data(stale=TopRows([], 321)))[0]
    assert item[:2] == ActionItem(321, "models without a new version for more than 180 days", "", "")[:2]


def test_python_is_past_its_end_of_life_after_the_last_day() -> None:
    for minor, last in END_OF_LIFE.items():
        assert not is_end_of_life(f"{minor}.1", last)
        assert is_end_of_life(f"{minor}.1", last + DAY)


@pytest.mark.parametrize("python", ["2.7", "2.7.18", "3.6", "3.7.9", " 3.9 "])
def test_python_older_than_all_listed_is_past_its_end_of_life(python: str) -> None:
    assert is_end_of_life(python, NOW.date())


@pytest.mark.parametrize("python", [None, "", "3", "3.x", ">=3.8", "3.99.1", "٣.٩", "python3.9", "3.99999999999"])
def test_unknown_python_is_not_past_its_end_of_life(python: str | None) -> None:
    assert not is_end_of_life(python, date(2099, 1, 1))
