from datetime import timedelta

import pytest

from etl.report import caveats
from etl.store.runs import age_of, full_comparison_age
from tests.unit.report.builders import a_run, a_scope, report_data, with_history

DAY = timedelta(days=1)


def test_recent_complete_data_has_no_caveats() -> None:
    assert caveats.caveats(report_data(), DAY) == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("failed", "failed"),
        ("refused", "was refused, because too much would have been deleted"),
        ("interrupted", "was interrupted"),
    ],
)
def test_last_run_that_wrote_nothing_warns_and_quotes_its_error(status: str, outcome: str) -> None:
    (caveat,) = caveats.caveats(with_history(runs=[a_run(status=status, complete=False, error="Why."), a_run()]), DAY)
    assert caveat.text == (
        f"The last run, of 2026-11-26 11:00 UTC, {outcome}. "
        "The figures below are from the previous run, of 2026-11-26 11:00 UTC."
    )
    assert caveat.quoted == "Why."


def test_incomplete_last_run_warns_of_missing_and_deleted_records() -> None:
    for status in ("partial", "succeeded"):
        (caveat,) = caveats.caveats(with_history(runs=[a_run(status=status, complete=False)]), DAY)
        assert "may lack records, and include records that the source has deleted" in caveat.text
    (partial,) = caveats.caveats(with_history(runs=[a_run(status="partial", complete=False)]), DAY)
    assert "a list was not proven complete, or the control plane offered less than before." in partial.text


def test_running_run_gives_no_warning() -> None:
    assert caveats.caveats(with_history(runs=[a_run(status="running", complete=False), a_run()]), DAY) == []


def test_data_older_than_max_age_warns() -> None:
    old = with_history(scopes=[a_scope(age_seconds=3 * 86_400.0)])
    (caveat,) = caveats.caveats(old, DAY)
    assert caveat.text == "The last complete run was 3 days ago, but it should be at most 24 hours ago."
    assert caveats.caveats(old, 3 * DAY) == []


def test_no_complete_run_warns() -> None:
    (caveat,) = caveats.caveats(with_history(scopes=[]), DAY)
    assert caveat.text.startswith("No run was complete yet.")


def test_age_is_that_of_the_scope_all_or_else_of_the_oldest_scope() -> None:
    some = [a_scope(scope="one", age_seconds=5.0), a_scope(scope="two", age_seconds=9.0)]
    assert age_of(with_history(scopes=some).history.scopes) == 9.0
    assert age_of(with_history(scopes=[*some, a_scope(age_seconds=1.0)]).history.scopes) == 1.0
    assert age_of(with_history(scopes=[]).history.scopes) is None


def test_the_oldest_full_comparison_counts_unless_the_last_runs_were_full_or_copy_only_latest_versions() -> None:
    newest = a_scope(age_seconds=60.0)
    hour, day = (newest | {"last_full_at": newest["last_complete_at"] - timedelta(hours=hours)} for hours in (1, 24))
    assert full_comparison_age([newest, hour, day]) == 86_460.0
    assert full_comparison_age([newest, hour]) == 3_660.0
    assert full_comparison_age([newest, day | {"coverage": "latest"}, day | {"last_full_at": None}]) is None


def test_rejected_records_warn_with_their_number() -> None:
    counts = report_data().counts
    (one,) = caveats.caveats(report_data(counts=counts | {"open_rejects": 1}), DAY)
    (two,) = caveats.caveats(report_data(counts=counts | {"open_rejects": 2}), DAY)
    assert one.text == "1 record of the source could not be stored, and is not counted below."
    assert two.text == "2 records of the source could not be stored, and are not counted below."
