"""The data of the report, read from one snapshot of the database."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from etl.store import queries, runs
from etl.store.queries.report import TopRows

Row = dict[str, Any]
Changes = dict[tuple[str, str], int]

LATELY = timedelta(days=30)

# The largest number of rows that each list of the report shows.
RUNS, CHANGES, REPOS, NAMES, PRODUCTION, MODELS = 10, 40, 15, 12, 150, 100
METRIC_MODELS, METRIC_ROWS, METRIC_VERSIONS = 40, 60, 24


class Series(NamedTuple):
    """A metric of a model; `points` are pairs of version and value, in the order of versions."""

    model_id: str
    key: str
    points: list[tuple[int, float]]


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """The data of a report made at `made_at`; changes since `since` count as recent."""

    made_at: datetime
    since: datetime
    stale_after: timedelta
    tenant: str | None
    counts: Row
    runs: list[Row]
    scopes: list[Row]
    missing_versions: int | None
    """None if all versions are copied."""
    last_written: Row
    changed_last: Changes
    changed_lately: Changes
    newest_changes: TopRows
    growth: list[Row]
    ml_repos: TopRows
    frameworks: list[Row]
    base_models: list[Row]
    pythons: list[Row]
    packages: list[Row]
    production_counts: Row
    production_pythons: dict[str, int]
    production: TopRows
    metrics: list[Series]
    stale: TopRows
    undocumented_counts: Row
    undocumented: TopRows


def gather(database_url: str, made_at: datetime, stale_after: timedelta) -> ReportData | None:
    """Read the data of the report; None if no run has written anything yet."""
    with queries.report.one_moment(database_url) as connection:
        last = queries.report.last_written(connection)
        if last is None:
            return None
        counts = queries.report.counts(connection)
        since = max(made_at - LATELY, counts["first_run_at"])
        production = queries.report.production(connection, since, PRODUCTION)
        model_ids = list(dict.fromkeys(row["model_id"] for row in production.part.rows))[:METRIC_MODELS]
        scopes = queries.report.freshness(connection)
        return ReportData(
            made_at=made_at,
            since=since,
            stale_after=stale_after,
            tenant=queries.report.tenant(connection),
            counts=counts,
            runs=queries.report.last_runs(connection, RUNS),
            scopes=scopes,
            missing_versions=runs.missing_versions(connection, scopes),
            last_written=last,
            changed_last=queries.report.changed_in_run(connection, last["id"]),
            changed_lately=queries.report.changed_since(connection, since),
            newest_changes=queries.report.newest_changes(connection, CHANGES),
            growth=queries.report.growth(connection),
            ml_repos=queries.report.ml_repos(connection, REPOS),
            frameworks=queries.report.frameworks(connection),
            base_models=queries.report.base_models(connection),
            pythons=queries.report.pythons(connection),
            packages=queries.report.packages(connection),
            production_counts=production.counts,
            production_pythons=production.pythons,
            production=production.part,
            metrics=_series(queries.report.metrics_over_versions(connection, model_ids, METRIC_VERSIONS), model_ids),
            stale=queries.report.stale(connection, stale_after / timedelta(days=1), MODELS),
            undocumented_counts=queries.report.undocumented_counts(connection),
            undocumented=queries.report.undocumented(connection, MODELS),
        )


def _series(rows: list[Row], model_ids: list[str]) -> list[Series]:
    """Group the rows into series, in the order of `model_ids`."""
    series = [
        Series(model_id, key, [(row["version"], row["value"]) for row in group])
        for (model_id, key), group in groupby(rows, key=lambda row: (row["model_id"], row["key"]))
    ]
    series.sort(key=lambda each: model_ids.index(each.model_id))
    return series[:METRIC_ROWS]
