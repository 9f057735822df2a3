"""The views for analysts, as read-only tables. Migrations create the views, and tests compare both.

Only these modules have the comments of their columns. Except for history, views show records that are not deleted.
"""

from etl.models.views.columns import metadata
from etl.models.views.current import (
    current_model_versions,
    current_models,
    latest_metrics,
    sync_freshness,
    tag_assignments,
    version_coverage,
    version_metadata,
)
from etl.models.views.history import (
    alias_history,
    model_timeline,
    production_history,
    production_label_history,
    tag_history,
)
from etl.models.views.metrics import metric_changes, metric_leaderboard, model_leaderboard
from etl.models.views.overview import (
    base_model_usage,
    deployability,
    growth,
    inventory,
    model_activity,
    package_usage,
    python_usage,
    stale_models,
    undocumented_models,
)
from etl.models.views.people import authorship, former_authors
from etl.models.views.production import production_models, production_versions
from etl.models.views.storage import cleanup_candidates, storage_by_ml_repo, storage_by_month

__all__ = [
    "alias_history",
    "authorship",
    "base_model_usage",
    "cleanup_candidates",
    "current_model_versions",
    "current_models",
    "deployability",
    "former_authors",
    "growth",
    "inventory",
    "latest_metrics",
    "metadata",
    "metric_changes",
    "metric_leaderboard",
    "model_activity",
    "model_leaderboard",
    "model_timeline",
    "package_usage",
    "production_history",
    "production_label_history",
    "production_models",
    "production_versions",
    "python_usage",
    "stale_models",
    "storage_by_ml_repo",
    "storage_by_month",
    "sync_freshness",
    "tag_assignments",
    "tag_history",
    "undocumented_models",
    "version_coverage",
    "version_metadata",
]
