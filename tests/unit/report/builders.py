"""Report data of a small registry without findings, for tests to change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.changes import NamedChange
from etl.report.data import (
    REQUIRED_PROPERTIES,
    Activity,
    Makeup,
    Metrics,
    Production,
    ProductionModel,
    ProductionVersion,
    Quality,
    ReportData,
    RunHistory,
)
from etl.store.queries.report import TopRows

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)  # a Thursday
STALE_AFTER = timedelta(days=180)
NAME = "churn-scorer"
NONE = TopRows([], 0)

Row = dict[str, Any]


def a_run(**changes: Any) -> Row:
    began = NOW - timedelta(hours=1)
    return {
        "id": "run-2", "started_at": began, "finished_at": began, "status": "succeeded", "complete": True,
        "mode": "incremental", "proof": "anchored", "host": "https://plane.example", "error": None,
        "changed": 3, "rejected": 0,
    } | changes  # fmt: skip


def a_scope(**changes: Any) -> Row:
    began = NOW - timedelta(hours=1)
    defaults = {
        "scope": "all",
        "last_complete_at": began,
        "age_seconds": 3600.0,
        "last_full_at": began,
        "coverage": "all",
    }
    return defaults | changes


NO_CLEANUP: Row = {"versions": 0, "artifact_size_bytes": None, "versions_without_size": 0}


def a_mix(name: str | None, versions: int = 2) -> Row:
    return {"name": name, "models": 1, "versions": versions}


def of_model(text: str = NAME) -> Row:
    return {"model_id": "m-1", "model_name": text, "ml_repo_name": text, "created_by": text}


def a_version(number: int | None = 2, text: str = NAME, **changes: Any) -> ProductionVersion:
    defaults = {"version": number, "since_at": NOW, "since_is_exact": True, "framework_type": text}
    python = {"python_version": "3.12.1", "deployable": True, "superseded_at": None}
    return ProductionVersion(of_model(text) | defaults | python | changes, [text])


def a_model(*versions: ProductionVersion, text: str = NAME, **changes: Any) -> ProductionModel:
    defaults = ProductionModel("m-1", text, text, list(versions or [a_version(text=text)]), latest_version=2, behind=0)
    return replace(defaults, **changes)


def a_period(version: int | None, entered: datetime, left: datetime | None = None, **changes: Any) -> Row:
    seconds = ((left or NOW) - entered).total_seconds()
    return of_model() | {
        "model_version_id": f"v-{version}", "version": version, "valid_from": entered, "valid_from_is_exact": True,
        "valid_to": left, "duration_seconds": seconds, "lead_time_seconds": None, "change": "promotion",
    } | changes  # fmt: skip


def a_daily_count(day: str, entity: str = "models", created: int = 0, deleted: int = 0, restored: int = 0) -> Row:
    return {"entity": entity, "day": day, "created": created, "deleted": deleted, "restored": restored}


def undocumented(text: str = NAME, **changes: Any) -> Row:
    has = {"has_description": False, "has_creator": True, "has_tags": True, "is_empty": False}
    return of_model(text) | has | {"created_at": NOW, "in_production": False} | changes


def stale(text: str = NAME, **changes: Any) -> Row:
    age = {"version_count": 2, "last_version_at": NOW, "days_since_last_version": 181, "in_production": False}
    return of_model(text) | age | changes


def worse(text: str = NAME, **changes: Any) -> Row:
    return of_model(text) | {
        "key": text, "from_version": 1, "to_version": 2, "from_value": 0.75, "to_value": 0.5, "relative_change": -1 / 3,
        "scaled_change": -1 / 3, "in_production": True,
    } | changes  # fmt: skip


def production(*models: ProductionModel, periods: list[Row] | None = None, text: str = NAME) -> Production:
    return Production(words=[text], models=list(models), periods=periods or [])


def quality(**changes: Any) -> Quality:
    empty = Quality(
        stale=NONE,
        lacking=dict.fromkeys(REQUIRED_PROPERTIES, NONE),
        undescribed_in_production=NONE,
        undescribed_elsewhere=NONE,
    )
    return replace(empty, **changes)


def activity(text: str = NAME) -> Activity:
    return Activity(
        daily_counts=[a_daily_count("2026-11-01", created=1), a_daily_count("2026-11-01", "model_versions", created=2)],
        tags=[{"day": "2026-11-25", "number": 2}],
        feed=[NamedChange("run-2", NOW, "model_versions", "v-2", "tag_added", None, None, text, text, 2)],
        changes=1,
        changed_last={("models", "created"): 1},
        changed_lately={("models", "created"): 4, ("models", "deleted"): 2, ("models", "restored"): 1},
    )


def makeup(text: str = NAME) -> Makeup:
    repo = {"ml_repo_name": text, "models": 1, "versions": 2, "artifact_size_bytes": 2_500_000}
    return Makeup(
        ml_repos=TopRows([repo | {"versions_without_size": 0}], 1),
        frameworks=[a_mix(text)],
        base_models=[a_mix(text)],
        pythons=[a_mix("3.12")],
        packages=TopRows([a_mix(text)], 1),
        specifiers=[{"name": text, "specifier": text, "versions": 2}],
        metadata_keys=TopRows([a_mix(text)], 1),
        former_authors=0,
        cleanup=NO_CLEANUP | {"versions": 1, "artifact_size_bytes": 2_000_000},
    )


def metrics(text: str = NAME) -> Metrics:
    return Metrics(
        worse=TopRows([worse(text)], 1),
        worse_in_production=1,
        compared=3,
        without_direction=1,
        values={("m-1", text): [(1, 0.75), (2, 0.5)]},
    )


def history(text: str = NAME) -> RunHistory:
    reject = {"id": 1, "entity": "models", "record_id": text, "reason": text, "rejected_at": NOW}
    gap = of_model(text) | {"highest_version": 5, "stored_versions": 2, "missing_versions": 3}
    return RunHistory(
        runs=[a_run()],
        last_written={"id": "run-2", "started_at": NOW - timedelta(hours=1)},
        scopes=[a_scope(scope=text), a_scope()],
        missing_versions=None,
        rejects=TopRows([reject], 1),
        gaps=TopRows([gap], 1),
    )


def report_data(text: str = NAME, **changes: Any) -> ReportData:
    """Return report data in which every text of the registry is `text`; the changes replace whole parts."""
    entered = a_period(2, NOW - timedelta(days=1), **of_model(text))
    lacking = dict.fromkeys(REQUIRED_PROPERTIES, NONE) | {"description": TopRows([undocumented(text)], 1)}
    defaults = ReportData(
        made_at=NOW,
        since=NOW - timedelta(days=30),
        recorded_from=NOW - timedelta(days=90),
        stale_after=STALE_AFTER,
        tenant=text,
        counts={
            "ml_repos": 1, "models": 1, "model_versions": 2, "bytes": 2_500_000, "without_size": 0, "open_rejects": 0,
            "first_run_at": NOW - timedelta(days=90),
        },
        production=production(a_model(text=text), periods=[entered], text=text),
        activity=activity(text),
        makeup=makeup(text),
        quality=quality(
            stale=TopRows([stale(text)], 1), lacking=lacking, undescribed_elsewhere=TopRows([undocumented(text)], 1)
        ),
        metrics=metrics(text),
        history=history(text),
        repo_ids={"m-1": "r-1"},
    )  # fmt: skip
    return replace(defaults, **changes)


def with_history(text: str = NAME, **changes: Any) -> ReportData:
    """Return report data with changes of its run history."""
    data = report_data(text)
    return replace(data, history=replace(data.history, **changes))


def without_models() -> ReportData:
    """Return the report data of a copy that never had a model."""
    defaults = report_data()
    counts = {"models": 0, "model_versions": 0, "ml_repos": 0, "bytes": 0}
    return replace(
        defaults,
        tenant=None,
        counts=defaults.counts | counts,
        production=production(),
        activity=Activity(daily_counts=[], tags=[], feed=[], changes=0, changed_last={}, changed_lately={}),
        makeup=Makeup(
            ml_repos=NONE,
            frameworks=[],
            base_models=[],
            pythons=[],
            packages=NONE,
            specifiers=[],
            metadata_keys=NONE,
            former_authors=0,
            cleanup=NO_CLEANUP,
        ),
        quality=quality(),
        metrics=Metrics(worse=NONE, worse_in_production=0, compared=0, without_direction=0, values={}),
        history=replace(defaults.history, rejects=NONE, gaps=NONE),
    )
