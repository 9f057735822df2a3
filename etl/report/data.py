"""The data of the report, read from one snapshot of the database."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from etl.changes import NamedChange
from etl.store.queries.report import TopRows

Row = dict[str, Any]
ChangeCounts = dict[tuple[str, str], int]

RECENT_PERIOD = timedelta(days=30)
WEEKS = 13
"""Weeks of activity, this week included."""

# The largest number of rows that each list of the report shows.
RUNS, REJECTS, GAPS, FEED, MOVES, REPOS, NAMES, PRODUCTION, LISTED = 10, 20, 20, 60, 40, 15, 12, 300, 100
METRICS, METRIC_VERSIONS = 40, 24

MIN_VERSIONS_BEHIND = 3
"""Versions behind the latest from which production needs attention."""

REQUIRED_PROPERTIES = ("description", "tags", "creator", "versions")
"""The properties that models may lack. A model without versions is empty."""


@dataclass
class ProductionVersion:
    """A version in production, with its labels."""

    row: Row
    labels: list[str] = field(default_factory=list)


@dataclass
class ProductionModel:
    """A model in production, with its versions, the latest to enter first."""

    model_id: str
    model_name: str | None
    ml_repo_name: str | None
    versions: list[ProductionVersion] = field(default_factory=list)
    latest_version: int | None = None
    behind: int | None = None
    is_stored: bool = True
    """Whether the model is stored and live: a version may name a model that the source does not list."""

    @property
    def current(self) -> list[ProductionVersion]:
        """The versions whose labels are up to date, or all if there is none.

        Under the coverage `latest`, a superseded version keeps the labels that it had.
        """
        return [each for each in self.versions if each.row["superseded_at"] is None] or self.versions


@dataclass(frozen=True, kw_only=True)
class Production:
    """What is in production, the latest to enter first, and what entered or left within the weeks of activity."""

    words: list[str]
    models: list[ProductionModel]
    periods: list[Row]

    @property
    def stored_models(self) -> int:
        """The number of stored, live models in production."""
        return sum(each.is_stored for each in self.models)


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Records that were created, deleted and restored by day, tags that moved by day, and the newest changes."""

    daily_counts: list[Row]
    tags: list[Row]
    feed: list[NamedChange]
    changes: int
    """The number of changes since the beginning of the recent period, of which `feed` has the newest."""
    changed_last: ChangeCounts
    changed_lately: ChangeCounts


@dataclass(frozen=True, kw_only=True)
class Makeup:
    """Distributions: each row has a name and the number of versions, and most have that of models."""

    ml_repos: TopRows
    frameworks: list[Row]
    base_models: list[Row]
    pythons: list[Row]
    packages: TopRows
    specifiers: list[Row]
    metadata_keys: TopRows
    former_authors: int
    """The number of creators that no record names any more."""
    cleanup: Row
    """The versions that are neither the latest nor in production: their number, their size, and how many lack it."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Stale models, and models that lack something, by what they lack. Lists begin with models in production.

    The models without a description are also in two parts: those in production, and the others.
    """

    stale: TopRows
    lacking: dict[str, TopRows]
    undescribed_in_production: TopRows
    undescribed_elsewhere: TopRows


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Metrics that got worse in the newest version that has them, and their values over versions."""

    worse: TopRows
    worse_in_production: int
    compared: int
    without_direction: int
    values: dict[tuple[str, str], list[tuple[int, float]]]
    """Pairs of version and value by model and metric."""


@dataclass(frozen=True, kw_only=True)
class RunHistory:
    """The last runs, the age of each scope, and what the copy lacks."""

    runs: list[Row]
    last_written: Row
    scopes: list[Row]
    missing_versions: int | None
    """None if all versions are copied."""
    rejects: TopRows
    gaps: TopRows


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """The data of a report made at `made_at`; changes since `since` count as recent.

    Changes are recorded from the first run on, or since the newest change that `prune` deleted.
    """

    made_at: datetime
    since: datetime
    recorded_from: datetime
    stale_after: timedelta
    tenant: str | None
    counts: Row
    production: Production
    activity: Activity
    makeup: Makeup
    quality: Quality
    metrics: Metrics
    history: RunHistory
    repo_ids: dict[str, str | None]
    """The id of its ML repo for each model of the lists."""
