"""docs/dbt, built by a real dbt on both kinds of database: `make test-dbt`."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from etl import dictionary
from etl.models import SyncRun, SyncScope, views
from etl.store import opened
from tests.dbt.conftest import Project

SOURCES = "source.tfy_registry.tfy_registry."
MARTS = ("production_registry", "metric_trends", "activity_by_day")

# A whole dbt starts for each command, and builds a hundred things.
pytestmark = pytest.mark.timeout(300)


def mart(project: Project, name: str) -> list[dict[str, Any]]:
    with opened(project.writes_to) as engine, engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()]  # noqa: S608 names of our own


def outcomes(project: Project) -> Counter[str]:
    return Counter(result["status"] for result in project.artifact("run_results")["results"])


def test_everything_builds_and_every_test_passes_without_a_warning(project: Project) -> None:
    said = project.run("--warn-error", "build")
    built = project.artifact("run_results")["results"]
    kinds = Counter(result["unique_id"].split(".")[0] for result in built)
    assert outcomes(project) == {"success": kinds["model"], "pass": kinds["test"] + kinds["unit_test"]}
    assert kinds["model"] == 6
    assert kinds["unit_test"] == 1
    assert kinds["test"] > 100
    assert "Deprecat" not in said


def test_the_marts_say_what_the_registry_says(project: Project) -> None:
    project.run("run")
    in_production = {row["model_version_id"]: row for row in mart(project, "production_registry")}
    expected = {row["model_version_id"] for row in project.mirror.rows(views.production_versions)}
    assert in_production.keys() == expected != set()
    fresh = next(row for row in in_production.values() if row["tags"] == 2)
    assert (fresh["tag"], fresh["versions_behind"]) == ("prod", 1)

    trends = mart(project, "metric_trends")
    versions = {row["id"] for row in project.mirror.rows(views.current_model_versions)}
    metrics = [row for row in project.mirror.rows(views.latest_metrics) if row["value"] is not None]
    assert len(trends) == len([row for row in metrics if row["model_version_id"] in versions]) > 0
    assert all(row["change"] == row["value"] - row["previous_value"] for row in trends if row["previous_value"])

    timeline = Counter((row["entity"], row["kind"]) for row in project.mirror.rows(views.model_timeline))
    assert {(row["entity"], row["kind"]): row["changes"] for row in mart(project, "activity_by_day")} == timeline
    assert ("models", "deleted") in timeline


def test_dbt_leaves_the_registry_as_it_was(project: Project) -> None:
    before = project.mirror.dump()
    project.run("run")
    assert project.mirror.dump() == before


def test_what_the_contract_rules_out_fails_a_test_of_the_sources(project: Project) -> None:
    project.mirror.execute("UPDATE sync_runs SET status = 'finished'")
    project.run("test", "--select", "source:tfy_registry.sync_runs", exit_code=1)
    failed = [each["unique_id"] for each in project.artifact("run_results")["results"] if each["status"] == "fail"]
    assert [
        name.split(".")[2].startswith("source_accepted_values_tfy_registry_sync_runs_status") for name in failed
    ] == [True]


def test_a_version_whose_model_the_source_does_not_list_is_a_warning(project: Project) -> None:
    project.mirror.execute("UPDATE model_versions SET model_id = 'not-listed' WHERE version = 1")
    project.run("test", "--select", "source:tfy_registry.model_versions")
    warned = [each["unique_id"] for each in project.artifact("run_results")["results"] if each["status"] == "warn"]
    assert [name.split(".")[2] for name in warned] == [
        "source_relationships_tfy_registry_model_versions_model_id__id__source_tfy_registry_models_"
    ]


def test_sources_are_fresh_after_a_run_and_stale_days_later(project: Project) -> None:
    def found() -> dict[str, str]:
        results = project.artifact("sources")["results"]
        return {result["unique_id"].removeprefix(SOURCES): result["status"] for result in results}

    project.run("source", "freshness")
    assert found() == {"sync_runs": "pass", "sync_freshness": "pass"}

    for days, status, exit_code in ((1.5, "warn", 0), (3, "error", 1)):
        then = datetime.now(UTC) - timedelta(days=days)
        with project.mirror.connection() as connection:
            connection.execute(SyncRun.__table__.update().values(finished_at=then))  # type: ignore[attr-defined]
            connection.execute(SyncScope.__table__.update().values(last_complete_at=then))  # type: ignore[attr-defined]
        project.run("source", "freshness", exit_code=exit_code)
        assert found() == {"sync_runs": status, "sync_freshness": status}


def test_dbt_knows_every_table_view_and_column_with_its_description(project: Project) -> None:
    project.run("parse")
    sources = project.artifact("manifest")["sources"]
    contents = dictionary.contents()
    assert {
        source["name"]: (
            source["description"],
            {name: column["description"] for name, column in source["columns"].items()},
        )
        for source in sources.values()
    } == {
        one.name: (one.description, {column.name: column.description for column in one.columns})
        for one in (*contents.tables, *contents.views)
    }


def test_the_documentation_of_dbt_can_be_made(project: Project) -> None:
    project.run("run")
    project.run("docs", "generate")
    catalogue = project.artifact("catalog")
    assert {name.removeprefix("model.tfy_registry.") for name in catalogue["nodes"]} >= set(MARTS)
    assert catalogue["errors"] is None
