from dataclasses import replace
from datetime import timedelta

from etl.report.data import LISTED, REQUIRED_PROPERTIES
from etl.report.findings import findings
from etl.store.queries.report import TopRows
from tests.unit.report.builders import (
    NONE,
    NOW,
    a_model,
    a_version,
    production,
    quality,
    report_data,
    stale,
    undocumented,
    worse,
)

DEFAULT = report_data()
NO_METRICS = replace(DEFAULT.metrics, worse_in_production=0)


def test_findings_are_sorted_by_severity_and_only_those_with_a_count() -> None:
    data = report_data(
        production=production(
            a_model(a_version(1, python_version="3.9.2"), a_version(2, deployable=False)),
            a_model(a_version(1), behind=7, latest_version=8),
        ),
        metrics=replace(DEFAULT.metrics, worse_in_production=5),
        quality=quality(
            stale=TopRows([stale()], 321),
            lacking=dict.fromkeys(REQUIRED_PROPERTIES, NONE)
            | {"creator": TopRows([undocumented(has_creator=False)], 1)},
            undescribed_in_production=TopRows([undocumented(in_production=True)], 2),
        ),
    )
    assert [(each.severity, each.total, each.what, each.anchor) for each in findings(data)] == [
        ("high", 1, "production version runs on a Python without security fixes", "list-python"),
        ("high", 1, "production version is not deployable by the control plane", "list-deployable"),
        ("medium", 1, "model is 3 or more versions behind in production", "list-behind"),
        ("medium", 5, "metrics are worse in production than in the version before", "metrics"),
        ("medium", 2, "models in production without a description", "list-undescribed"),
        ("medium", 321, "models without a new version for more than 180 days", "list-stale"),
        ("low", 1, "model has more than one version in production", "list-several"),
        ("low", 1, "model without a creator", "list-creator"),
    ]
    assert all(each.advice and each.condition for each in findings(data))


def test_a_registry_without_problems_has_no_findings() -> None:
    assert findings(report_data(metrics=NO_METRICS, quality=quality())) == []


def test_each_list_has_the_counted_rows_or_the_number_of_omitted_ones() -> None:
    many = [
        a_model(a_version(2, python_version="3.8", since_at=NOW - timedelta(days=day))) for day in range(LISTED + 9)
    ]
    found = {each.anchor: each for each in findings(report_data(production=production(*many), metrics=NO_METRICS))}
    old, stale_ones = found["list-python"], found["list-stale"]
    assert (old.total, len(old.rows), old.left_out) == (LISTED + 9, LISTED, 9)
    assert (stale_ones.total, len(stale_ones.rows), stale_ones.left_out) == (1, 1, 0)
    rows = [worse(in_production=index < 2) for index in range(3)]
    metrics = replace(DEFAULT.metrics, worse=TopRows(rows, 9), worse_in_production=5)
    worse_ones = {each.anchor: each for each in findings(report_data(metrics=metrics))}["metrics"]
    assert (worse_ones.total, worse_ones.shown, worse_ones.left_out) == (5, 2, 3)
    assert (old.view, old.condition) == (
        "production_versions",
        "python_version is out of support, one row for each label",
    )


def test_each_finding_has_its_details() -> None:
    data = report_data(
        production=production(
            a_model(a_version(2), a_version(3, since_is_exact=False, created_by="kim"), behind=5, latest_version=8),
            a_model(a_version(None), behind=None, latest_version=None),
        ),
        quality=quality(
            stale=TopRows([stale(in_production=True), stale()], 2),
            lacking=dict.fromkeys(REQUIRED_PROPERTIES, NONE)
            | {"versions": TopRows([undocumented(has_tags=False, is_empty=True, created_at=None)], 1)},
        ),
        metrics=NO_METRICS,
    )
    found = {each.anchor: each for each in findings(data)}
    details = {anchor: [row.detail for row in each.rows] for anchor, each in found.items()}
    assert details == {
        "list-behind": ["v3, and v8 is the latest"],
        "list-several": ["v2, v3"],
        "list-stale": ["181 days", "181 days"],
        "list-versions": ["description, tags, versions"],
    }
    assert [each.anchor for each in found.values() if each.marks_production] == ["list-stale"]
    # The version with the largest number, not the last one to enter.
    assert [(row.at_is_exact, row.model["created_by"]) for row in found["list-behind"].rows] == [(False, "kim")]
