"""dbt builds docs/dbt on both databases: `make test-dbt`."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from etl import schema_docs
from etl.models import SyncRun, SyncScope, views
from etl.store import engine_scope
from tests.e2e.dbt.conftest import BuiltProject, Project

SOURCES = "source.tfy_registry.tfy_registry."
MARTS = ("production_registry", "metric_trends", "activity_by_day")

# Each command starts dbt, and a build has more than a hundred nodes.
pytestmark = pytest.mark.timeout(300)


def mart(project: Project, name: str) -> list[dict[str, Any]]:
    with engine_scope(project.writes_to) as engine, engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()]  # noqa: S608 names of our own


def freshness(project: Project) -> dict[str, str]:
    """Return the freshness of each source by `dbt source freshness`."""
    results = project.artifact("sources")["results"]
    return {result["unique_id"].removeprefix(SOURCES): result["status"] for result in results}


def test_everything_builds_and_every_test_passes_without_a_warning(built: BuiltProject) -> None:
    kinds = Counter(result["unique_id"].split(".")[0] for result in built.results)
    outcomes = Counter(result["status"] for result in built.results)
    assert outcomes == {"success": kinds["model"], "pass": kinds["test"] + kinds["unit_test"]}
    assert (kinds["model"], kinds["unit_test"]) == (6, 1)
    assert kinds["test"] > 100
    assert "Deprecat" not in built.output


def test_dbt_does_not_change_the_registry(built: BuiltProject) -> None:
    assert built.project.env.dump() == built.before


def test_marts_match_the_registry(built: BuiltProject) -> None:
    project = built.project
    in_production = {row["model_version_id"]: row for row in mart(project, "production_registry")}
    expected = {row["model_version_id"] for row in project.env.rows(views.production_versions)}
    assert in_production.keys() == expected != set()
    newest = next(row for row in in_production.values() if row["tags"] == 2)
    assert (newest["tag"], newest["versions_behind"]) == ("prod", 1)

    trends = mart(project, "metric_trends")
    versions = {row["id"] for row in project.env.rows(views.current_model_versions)}
    metrics = [row for row in project.env.rows(views.latest_metrics) if row["value"] is not None]
    assert len(trends) == len([row for row in metrics if row["model_version_id"] in versions]) > 0
    assert all(row["change"] == row["value"] - row["previous_value"] for row in trends if row["previous_value"])

    timeline = Counter((row["entity"], row["kind"]) for row in project.env.rows(views.model_timeline))
    assert {(row["entity"], row["kind"]): row["changes"] for row in mart(project, "activity_by_day")} == timeline
    assert ("models", "deleted") in timeline


def test_dbt_knows_every_table_view_and_column_with_its_description(built: BuiltProject) -> None:
    sources = built.project.artifact("manifest")["sources"]
    schema = schema_docs.describe_schema()
    assert {
        source["name"]: (
            source["description"],
            {name: column["description"] for name, column in source["columns"].items()},
        )
        for source in sources.values()
    } == {
        one.name: (one.description, {column.name: column.description for column in one.columns})
        for one in (*schema.tables, *schema.views)
    }


def test_dbt_docs_can_be_generated(built: BuiltProject) -> None:
    built.project.run("docs", "generate")
    catalogue = built.project.artifact("catalog")
    assert {name.removeprefix("model.tfy_registry.") for name in catalogue["nodes"]} >= set(MARTS)
    assert catalogue["errors"] is None


def test_after_a_run_the_sources_are_fresh(built: BuiltProject) -> None:
    built.project.run("source", "freshness")
    assert freshness(built.project) == {"sync_runs": "pass", "sync_freshness": "pass"}


def test_sources_without_a_sync_for_days_are_stale(project: Project) -> None:
    now = datetime.now(UTC)
    with project.env.connection() as connection:
        connection.execute(update(SyncRun).values(finished_at=now - timedelta(days=1.5)))
        connection.execute(update(SyncScope).values(last_complete_at=now - timedelta(days=3)))
    project.run("source", "freshness", exit_code=1)
    assert freshness(project) == {"sync_runs": "warn", "sync_freshness": "error"}


def test_invalid_value_fails_and_unlisted_model_warns(project: Project) -> None:
    project.env.execute("UPDATE sync_runs SET status = 'finished'")
    project.env.execute("UPDATE model_versions SET model_id = 'not-listed' WHERE version = 1")
    project.run("test", "--select", "source:*", "--indirect-selection", "cautious", exit_code=1)
    found = {
        result["unique_id"].split(".")[2]: result["status"]
        for result in project.artifact("run_results")["results"]
        if result["status"] != "pass"
    }
    (status, model) = sorted(found)
    assert status.startswith("source_accepted_values_tfy_registry_sync_runs_status__")
    assert model == "source_relationships_tfy_registry_model_versions_model_id__id__source_tfy_registry_models_"
    assert (found[status], found[model]) == ("fail", "warn")
