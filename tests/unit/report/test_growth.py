from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from etl.report import growth
from tests.unit.report.builders import NOW, Row, a_daily_count, report_data

DEFAULT = report_data()


def growth_of(*daily_counts: Row, first_run_at: object = NOW) -> growth.Growth:
    counts = DEFAULT.counts | {"first_run_at": first_run_at}
    found = growth.growth(
        report_data(activity=replace(DEFAULT.activity, daily_counts=list(daily_counts)), counts=counts)
    )
    assert found is not None
    return found


def test_growth_of_a_single_day_rises_from_nothing_to_the_present() -> None:
    result = growth_of(a_daily_count("2026-11-26", created=3), a_daily_count("2026-11-26", "model_versions", created=5))
    assert result.rows() == [("2026-11-26", 3, 5), ("2026-11-25", 0, 0)]
    assert (result.unit, result.first_run, result.deleted) == ("day", None, 0)


def test_deleted_records_count_until_they_are_deleted() -> None:
    result = growth_of(
        a_daily_count("2026-11-23", created=3),
        a_daily_count("2026-11-24", deleted=2),
        a_daily_count("2026-11-26", restored=1),
    )
    assert result.models == [0, 3, 1, 1, 2]
    assert result.deleted == 1
    assert result.summary(result.models, "model") == "2 models now, 3 at the highest."


def test_growth_of_a_long_period_is_by_month_up_to_the_present() -> None:
    result = growth_of(
        a_daily_count("2026-01-31", created=1),
        a_daily_count("2026-04-30", "model_versions", created=3),
        first_run_at=NOW.replace(month=6),
    )
    assert result.labels[0] == "2025-12"
    assert result.labels[-1] == "2026-11"
    assert (result.models[1], result.versions[3], result.versions[4], result.versions[-1]) == (1, 0, 3, 3)
    assert result.labels[result.first_run or 0] == "2026-06"


def test_growth_counts_older_records_at_its_start_ten_years_ago() -> None:
    result = growth_of(a_daily_count("0001-01-01", created=5), a_daily_count("2026-11-01", created=1))
    assert result.rows()[-1] == ("2016-11", 5, 0)
    assert result.rows()[0] == ("2026-11", 6, 0)
    assert len(result.labels) == 121


def test_events_that_a_wrong_clock_dated_in_the_future_count_today() -> None:
    assert growth_of(a_daily_count("2026-11-25", created=1), a_daily_count("9999-12-31", created=1)).models == [0, 1, 2]


def test_a_copy_that_never_had_a_record_has_no_growth() -> None:
    assert growth.growth(report_data(activity=replace(DEFAULT.activity, daily_counts=[]))) is None


@given(st.lists(st.tuples(st.dates().map(str), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20))
def test_growth_ends_with_the_number_of_created_records(days: list[tuple[str, int, int]]) -> None:
    daily_counts = [a_daily_count(day, created=models) for day, models, _ in days]
    result = growth_of(
        *daily_counts, *(a_daily_count(day, "model_versions", created=versions) for day, _, versions in days)
    )
    assert len(result.labels) <= 122
    assert result.models[-1] == sum(models for _, models, _ in days)
    assert result.versions[-1] == sum(versions for _, _, versions in days)


def test_summary_compares_with_a_month_or_a_year_ago() -> None:
    result = growth_of(a_daily_count("2025-01-01", created=2), a_daily_count("2026-11-01", created=1))
    assert result.summary(result.models, "model") == "3 models now, 1 more than a year ago."
    result = growth_of(a_daily_count("2026-10-01", created=1))
    assert result.summary(result.models, "model") == "1 model now, the same as 30 days ago."
