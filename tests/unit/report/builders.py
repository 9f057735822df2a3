"""Report data of a small registry without findings, for tests to change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.report.data import ReportData, Series
from etl.store.queries.report import TopRows

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
STALE_AFTER = timedelta(days=180)
NAME = "churn-scorer"


def a_run(**changes: Any) -> dict[str, Any]:
    began = NOW - timedelta(hours=1)
    return {
        "id": "run-2", "started_at": began, "finished_at": began, "status": "succeeded", "complete": True,
        "mode": "incremental", "proof": "anchored", "host": "https://plane.example", "error": None,
        "changed": 3, "rejected": 0,
    } | changes  # fmt: skip


def a_scope(**changes: Any) -> dict[str, Any]:
    began = NOW - timedelta(hours=1)
    return {"scope": "all", "last_complete_at": began, "age_seconds": 3600.0, "last_full_at": began} | changes


def a_mix(name: str | None) -> dict[str, Any]:
    return {"name": name, "models": 1, "versions": 2}


def report_data(text: str = NAME, **changes: Any) -> ReportData:
    """Return report data in which every text of the registry is `text`."""
    of_model = {"model_id": "m-1", "model_name": text, "ml_repo_name": text, "created_by": text}
    usual = ReportData(
        made_at=NOW,
        since=NOW - timedelta(days=30),
        stale_after=STALE_AFTER,
        tenant=text,
        counts={
            "ml_repos": 1, "models": 1, "model_versions": 2, "bytes": 2_500_000, "without_size": 0, "open_rejects": 0,
            "first_run_at": NOW - timedelta(days=90),
        },
        runs=[a_run()],
        scopes=[a_scope(scope=text), a_scope()],
        missing_versions=None,
        last_written={"id": "run-2", "started_at": NOW - timedelta(hours=1)},
        changed_last={("models", "created"): 1},
        changed_lately={("models", "created"): 4, ("models", "deleted"): 2, ("models", "restored"): 1},
        newest_changes=TopRows(
            [{**of_model, "observed_at": NOW, "version": 2, "kind": "updated", "field": text, "old_value": text,
              "new_value": text}], 1,
        ),
        growth=[{"day": "2026-11-01", "models_created": 1, "versions_created": 2}],
        ml_repos=TopRows([{"ml_repo_name": text, "models": 1, "versions": 2, "artifact_size_bytes": 2_500_000}], 1),
        frameworks=[a_mix(text)],
        base_models=[a_mix(text)],
        pythons=[a_mix("3.12")],
        packages=[a_mix(text)],
        production_counts={"versions": 1, "models": 1, "entered": 1, "not_deployable": 0},
        production_pythons={"3.12.1": 1},
        production=TopRows(
            [{**of_model, "tag": text, "version": 2, "since_at": NOW, "since_is_exact": True, "framework_type": text,
              "python_version": text, "deployable": True}], 1,
        ),
        metrics=[Series("m-1", text, [(1, 0.5), (2, 0.75)])],
        stale=TopRows([{**of_model, "version_count": 2, "last_version_at": NOW, "days_since_last_version": 181}], 1),
        undocumented_counts={"description": 0, "creator": 0, "tags": 0, "empty": 0},
        undocumented=TopRows(
            [{**of_model, "has_description": False, "has_creator": True, "has_tags": True, "is_empty": False,
              "created_at": NOW}], 1,
        ),
    )  # fmt: skip
    return replace(usual, **changes)
