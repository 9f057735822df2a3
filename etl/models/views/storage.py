"""Views of the size of the artifacts."""

from sqlalchemy import Table

from etl.models.views.columns import integer, metadata, moment, text

storage_by_ml_repo = Table(
    "storage_by_ml_repo",
    metadata,
    text("ml_repo_id", "ml_repos.id"),
    text("ml_repo_name", "Name of the ML repo."),
    integer("models", "Models in it."),
    integer("versions", "Versions in it."),
    integer("versions_without_size", "Versions whose size is unknown or impossible: below 0 or above 1e15."),
    integer(
        "artifact_size_bytes",
        "Total size of the other versions, in bytes; 0 without versions, NULL if no size is known.",
    ),
    comment="Size of the artifacts in each ML repo.",
)

storage_by_month = Table(
    "storage_by_month",
    metadata,
    text("month", "Month in UTC, YYYY-MM; a month in which nothing changed has no row."),
    text("ml_repo_id", "ml_repos.id"),
    text("ml_repo_name", "Name of the ML repo."),
    integer("versions_added", "Versions created in the month, those deleted since included."),
    integer("versions_removed", "Versions found deleted in the month."),
    integer("versions", "Versions at the end of the month."),
    integer("versions_without_size", "Those of them whose size is unknown or impossible: below 0 or above 1e15."),
    integer("bytes_added", "Total known size of the versions added; 0 without any, NULL if no size is known."),
    integer("bytes_removed", "Total known size of the versions removed; 0 without any, NULL if no size is known."),
    integer(
        "artifact_size_bytes",
        "Total known size at the end of the month; 0 without versions, NULL if no size is known.",
    ),
    comment="Versions and their size in each ML repo by month; deleted versions count until their deletion.",
)

cleanup_candidates = Table(
    "cleanup_candidates",
    metadata,
    text("model_version_id", "model_versions.id"),
    text("model_id", "models.id of its model."),
    text("model_name", "Name of its model."),
    text("ml_repo_name", "Name of its ML repo."),
    integer("version", "Number of the version."),
    text("version_alias", "Its alias, if it has one."),
    text("tags", "Its tags, separated by commas."),
    text("created_by", "Creator of the version: display name, else slug, else id."),
    moment("created_at", "When it was created, UTC."),
    integer("days_since_created", "Whole days since then, or since it was first seen if the source does not say."),
    integer("artifact_size_bytes", "Size of its files in bytes, which deleting it would free; NULL if unknown."),
    comment="Versions that are neither the latest of their model nor in production.",
)
