from dataclasses import replace
from datetime import timedelta

from etl.changes import NamedChange
from etl.report.activity import activity, feed
from etl.report.weeks import first_day, weeks
from tests.unit.report.builders import NOW, a_daily_count, a_model, a_period, production, report_data

DEFAULT = report_data()


def test_weeks_begin_on_mondays_and_end_with_this_week() -> None:
    days = weeks(NOW)
    assert (len(days), str(days[-1]), str(days[0])) == (13, "2026-11-23", "2026-08-31")
    assert all(day.weekday() == 0 for day in days)
    assert first_day(NOW).isoformat() == "2026-08-31T00:00:00+00:00"


def test_events_are_counted_by_week_and_weeks_without_recorded_changes_are_unknown() -> None:
    data = report_data(
        recorded_from=NOW - timedelta(days=10),
        production=production(
            a_model(),
            periods=[
                a_period(2, NOW - timedelta(days=1)),
                a_period(1, NOW - timedelta(days=9), left=NOW - timedelta(days=1), valid_from_is_exact=False),
            ],
        ),
        activity=replace(
            DEFAULT.activity,
            daily_counts=[
                a_daily_count("2020-01-01", created=50),
                a_daily_count("2026-09-01", created=2),
                a_daily_count("2026-11-22", deleted=1),
                a_daily_count("2026-11-23", "model_versions", created=3, deleted=1),
            ],
            tags=[{"day": "2026-11-16", "number": 2}, {"day": "2026-11-26", "number": 4}],
        ),
    )
    found = activity(data)
    unknown = [None] * 11
    assert {panel.title: panel.values for panel in found.panels} == {
        "Models created": [2, *[0] * 12],
        "Versions created": [*[0] * 12, 3],
        "Entered production": [*unknown, 0, 1],
        "Left production": [*unknown, 0, 1],
        "Tags added or removed": [*unknown, 2, 4],
        "Models and versions deleted": [*unknown, 1, 1],
    }
    assert [panel.total for panel in found.panels] == [2, 3, 1, 1, 6, 2]
    assert found.rows[0] == ("2026-11-23", [0, 3, 1, 1, 4, 1])
    assert found.has_unknown
    assert not found.is_empty


def test_a_quiet_registry_has_no_activity() -> None:
    quiet = replace(DEFAULT.activity, daily_counts=[a_daily_count("2020-01-01", created=50)], tags=[])
    assert activity(report_data(activity=quiet, production=production(a_model()))).is_empty


def test_the_feed_has_the_sentences_of_the_changes_command_and_names_each_run_once() -> None:
    changes = [
        NamedChange("r-2", NOW, "model_versions", "v", "tag_added", None, None, "prod", "fraud", 3, "risk"),
        NamedChange("r-2", NOW, "models", "m", "deleted", model="legacy", versions=5),
        NamedChange("r-1", NOW, "models", "m", "updated", "name", "tok-1", "new", model="new"),
    ]
    items = feed(
        report_data(activity=replace(DEFAULT.activity, feed=changes)), lambda text: text.replace("tok-1", "***")
    )
    assert [(each.name, each.text, each.is_first_of_run) for each in items] == [
        ("fraud v3", "tag prod added", True),
        ("legacy", "deleted, with 5 versions", False),
        ("new", "renamed from *** to new", True),
    ]
