from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from etl.report import metrics
from etl.report.data import Series
from etl.store.queries.report import TopRows
from tests.unit.report.builders import NOW, a_mix, report_data


def test_headline_shows_counts_and_their_changes() -> None:
    headline = {each.label: each[1:] for each in metrics.headline(report_data())}
    assert headline == {
        "Models": ("1", "+1", "+5 −2"),
        "Versions": ("2", "no change", "no change"),
        "Versions in production": ("1", "", "+1 entered"),
        "ML repos": ("1", "no change", "no change"),
        "Size of artifacts": ("2.5 MB", "", ""),
    }


def test_recent_period_is_limited_by_recorded_runs() -> None:
    assert metrics.lately(report_data()) == "last 30 days"
    assert metrics.lately(report_data(since=NOW - timedelta(days=29))) == "on record"


def grown(*days: tuple[str, int, int], models: int = 0, versions: int = 0) -> metrics.Growth:
    rows = [{"day": day, "models_created": models, "versions_created": versions} for day, models, versions in days]
    counts = report_data().counts | {"models": models, "model_versions": versions}
    return metrics.growth(report_data(growth=rows, counts=counts))


def test_growth_of_a_short_period_is_by_day() -> None:
    growth = grown(("2026-11-01", 1, 2), ("2026-11-03", 1, 0), models=3, versions=2)
    assert growth.rows() == [("2026-11-01", 1, 2), ("2026-11-02", 1, 2), ("2026-11-03", 2, 2)]
    assert (growth.unit, growth.undated) == ("day", 1)


def test_growth_of_a_long_period_is_by_month() -> None:
    growth = grown(("2026-01-31", 1, 2), ("2026-02-01", 1, 1), ("2026-04-30", 2, 3), models=4, versions=6)
    assert growth.rows() == [("2026-01", 1, 2), ("2026-02", 2, 3), ("2026-03", 2, 3), ("2026-04", 4, 6)]
    assert (growth.unit, growth.undated) == ("month", 0)


def test_growth_counts_older_records_at_its_start_ten_years_ago() -> None:
    growth = grown(("0001-01-01", 5, 5), ("2026-11-01", 1, 0), models=6, versions=5)
    assert growth.rows()[0] == ("2016-11", 5, 5)
    assert growth.rows()[-1] == ("2026-11", 6, 5)
    assert len(growth.labels) == 121


def test_growth_leaves_out_and_counts_records_of_the_future() -> None:
    growth = grown(("2026-11-01", 1, 0), ("9999-12-31", 1, 1), models=2, versions=1)
    assert growth.rows() == [("2026-11-01", 1, 0)]
    assert growth.undated == 2


def test_a_registry_without_dates_has_no_growth() -> None:
    assert grown(models=2, versions=1) == metrics.Growth("day", [], [], [], 3)


@given(st.lists(st.tuples(st.dates().map(str), st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_growth_never_falls_and_loses_nothing(days: list[tuple[str, int, int]]) -> None:
    models, versions = sum(day[1] for day in days), sum(day[2] for day in days)
    growth = grown(*days, models=models, versions=versions)
    assert len(growth.labels) <= 122
    for totals in (growth.models, growth.versions):
        assert all(before <= after for before, after in pairwise(totals))
    assert sum(totals[-1] if totals else 0 for totals in (growth.models, growth.versions)) + growth.undated == (
        models + versions
    )


def test_growth_summary_is_a_sentence() -> None:
    growth = grown(("2026-11-01", 1, 2), ("2026-11-03", 1, 0), models=2, versions=2)
    assert growth.summary(growth.models, "model") == "1 at the end of 2026-11-01, 2 by 2026-11-03."
    alone = grown(("2026-11-01", 1, 2), models=1, versions=2)
    assert alone.summary(alone.models, "model") == "1 model, all of 2026-11-01."


def test_mix_counts_the_rows_not_shown() -> None:
    rows = [a_mix(f"package-{place}") for place in range(2000)]
    assert metrics.mix(rows) == (rows[:12], "; 1,988 more are not shown")
    assert metrics.mix(rows[:12]) == (rows[:12], "")


def metric(points: list[tuple[int, float]], *in_production: int) -> metrics.MetricRow:
    row = report_data().production.rows[0]
    production = TopRows([row | {"version": version} for version in in_production], len(in_production))
    (only,) = metrics.metric_rows(report_data(production=production, metrics=[Series("m-1", "auc", points)]))
    return only


def test_metric_compares_production_with_the_version_before() -> None:
    row = metric([(1, 0.5), (3, 0.75), (4, 0.6)], 3)
    assert (row.now, row.before, row.change) == (0.75, 0.5, 0.25)
    assert row.values == "version 1: 0.5, version 3: 0.75, version 4: 0.6"


def test_metric_uses_the_newest_version_in_production() -> None:
    assert metric([(1, 0.5), (2, 0.75)], 2, 1).now == 0.75


def test_metric_without_earlier_or_production_value_has_none() -> None:
    assert metric([(1, 0.5), (2, 0.75)], 1)[4:] == (0.5, None, None)
    assert metric([(1, 0.5)], 2)[4:] == (None, None, None)


def test_metric_change_may_overflow_to_infinity() -> None:
    assert metric([(1, -1.7e308), (2, 1.7e308)], 2).change == float("inf")
