"""Reads the data of the report from one snapshot of the database."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Any

from etl.report import data
from etl.report.data import Activity, Makeup, Metrics, Production, ProductionModel, ProductionVersion, Quality, Row
from etl.report.weeks import first_day
from etl.store import queries, runs
from etl.store.queries.changes import ChangeFilter
from etl.store.queries.report import TopRows


def gather(
    database_url: str, made_at: datetime, stale_after: timedelta, *, with_repo_ids: bool = False
) -> data.ReportData | None:
    """Read the data of the report; None if no run has written anything yet."""
    with queries.report.open_snapshot(database_url) as connection:
        last = queries.report.run_history.last_written(connection)
        if last is None:
            return None
        counts = queries.report.totals.counts(connection)
        pruned_until = queries.changes.pruned_until(connection)
        recorded_from = max(filter(None, (counts["first_run_at"], pruned_until)))
        since = max(made_at - data.RECENT_PERIOD, recorded_from)
        production = _production(connection, first_day(made_at))
        return data.ReportData(
            made_at=made_at,
            since=since,
            recorded_from=recorded_from,
            stale_after=stale_after,
            tenant=queries.report.totals.tenant(connection),
            counts=counts,
            production=production,
            activity=_activity(connection, made_at, since, last["id"]),
            makeup=_makeup(connection),
            quality=_quality(connection, stale_after, {each.model_id for each in production.models}),
            metrics=_metrics(connection, production),
            history=_history(connection, last),
            repo_ids=queries.report.totals.repo_ids(connection) if with_repo_ids else {},
        )


def _production(connection: Any, since: datetime) -> Production:
    models = dict[str, ProductionModel]()
    versions = dict[str, ProductionVersion]()
    for row in queries.report.production.versions(connection):
        model_id, version_id = row["model_id"], row["model_version_id"]
        model = models.setdefault(model_id, ProductionModel(model_id, row["model_name"], row["ml_repo_name"]))
        model.is_stored = False
        if version_id not in versions:
            versions[version_id] = ProductionVersion(row)
            model.versions.append(versions[version_id])
        versions[version_id].labels.append(row["tag"])
    for row in queries.report.production.models(connection):
        model = models[row["model_id"]]
        model.latest_version, model.behind, model.is_stored = row["latest_version"], row["versions_behind"], True
    return Production(
        words=queries.report.production.words(connection),
        models=list(models.values()),
        periods=queries.report.production.periods(connection, since),
    )


def _activity(connection: Any, made_at: datetime, since: datetime, last_run_id: str) -> Activity:
    recent = ChangeFilter(since=since)
    return Activity(
        daily_counts=queries.report.daily_counts.records_by_day(connection),
        tags=queries.report.daily_counts.tags_by_day(connection, first_day(made_at)),
        feed=list(queries.changes.recorded(connection, recent, limit=data.FEED)),
        changes=queries.changes.count(connection, recent).shown,
        changed_last=queries.report.totals.changed_in_run(connection, last_run_id),
        changed_lately=queries.report.totals.changed_since(connection, since),
    )


def _makeup(connection: Any) -> Makeup:
    packages = queries.report.makeup.packages(connection, data.NAMES)
    return Makeup(
        ml_repos=queries.report.makeup.ml_repos(connection, data.REPOS),
        frameworks=queries.report.makeup.frameworks(connection),
        base_models=queries.report.makeup.base_models(connection),
        pythons=queries.report.makeup.pythons(connection),
        packages=packages,
        specifiers=queries.report.makeup.package_specifiers(connection, [row["name"] for row in packages.rows]),
        metadata_keys=queries.report.makeup.metadata_keys(connection, data.NAMES),
        former_authors=queries.report.makeup.former_authors(connection),
        cleanup=queries.report.makeup.cleanup(connection),
    )


def _quality(connection: Any, stale_after: timedelta, in_production: set[str]) -> Quality:
    """Sort the undocumented models by what they lack, those in production first."""
    lists = {lack: _Parts() for lack in data.REQUIRED_PROPERTIES}
    undescribed = {True: _Parts(), False: _Parts()}
    for row in queries.report.quality.undocumented(connection):
        is_in_production = row["model_id"] in in_production
        row["in_production"] = is_in_production
        lacks = (not row["has_description"], not row["has_tags"], not row["has_creator"], row["is_empty"])
        for lack, is_lacking in zip(data.REQUIRED_PROPERTIES, lacks, strict=True):
            if is_lacking:
                lists[lack].add(row, first=is_in_production)
        if not row["has_description"]:
            undescribed[is_in_production].add(row, first=True)
    stale = queries.report.quality.stale(connection, stale_after / timedelta(days=1), data.LISTED)
    for row in stale.rows:
        row["in_production"] = row["model_id"] in in_production
    return Quality(
        stale=stale,
        lacking={lack: parts.top() for lack, parts in lists.items()},
        undescribed_in_production=undescribed[True].top(),
        undescribed_elsewhere=undescribed[False].top(),
    )


class _Parts:
    """The first rows of a list in two parts, and the number of all rows."""

    def __init__(self) -> None:
        self._first = list[Row]()
        self._rest = list[Row]()
        self._total = 0

    def add(self, row: Row, *, first: bool) -> None:
        part = self._first if first else self._rest
        self._total += 1
        if len(part) < data.LISTED:
            part.append(row)

    def top(self) -> TopRows:
        return TopRows([*self._first, *self._rest][: data.LISTED], self._total)


def _history(connection: Any, last_written: Row) -> data.RunHistory:
    scopes = queries.report.run_history.freshness(connection)
    missing = runs.missing_versions(connection, scopes)
    return data.RunHistory(
        runs=queries.report.run_history.last_runs(connection, data.RUNS),
        last_written=last_written,
        scopes=scopes,
        missing_versions=missing,
        rejects=queries.report.run_history.rejects(connection, data.REJECTS),
        gaps=queries.report.run_history.gaps(connection, data.GAPS),
    )


def _metrics(connection: Any, production: Production) -> Metrics:
    in_production = {(model.model_id, each.row["version"]) for model in production.models for each in model.current}
    counts = Counter[str]()

    def worse() -> Iterator[Row]:
        ids = [model.model_id for model in production.models]
        for row in queries.report.metrics.newest_changes(connection, ids):
            row["in_production"] = (row["model_id"], row["to_version"]) in in_production
            if not (row["in_production"] or row["is_newest"]):
                continue
            counts["compared"] += 1
            counts["without_direction"] += row["better"] is None
            if row["is_improvement"] is False:
                counts["worse"] += 1
                counts["worse_in_production"] += row["in_production"]
                yield row

    rows = nsmallest(data.METRICS, worse(), key=_worst_first)
    shown = {(row["model_id"], row["key"]) for row in rows}
    values = defaultdict[tuple[str, str], list[tuple[int, float]]](list)
    ids = list(dict.fromkeys(row["model_id"] for row in rows))
    for row in queries.report.metrics.over_versions(connection, ids, data.METRIC_VERSIONS):
        if (row["model_id"], row["key"]) in shown:
            values[row["model_id"], row["key"]].append((row["version"], row["value"]))
    return Metrics(
        worse=TopRows(rows, counts["worse"]),
        worse_in_production=counts["worse_in_production"],
        compared=counts["compared"],
        without_direction=counts["without_direction"],
        values=dict(values),
    )


def _worst_first(row: Row) -> tuple[bool, float, str, str]:
    """Order by the change relative to the largest value of the metric: a base near zero does not dominate."""
    return not row["in_production"], -abs(row["scaled_change"] or 0.0), row["model_id"], row["key"]
