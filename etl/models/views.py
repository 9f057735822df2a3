"""The views for analysts, as read-only tables: migrations create them, tests hold both against each other."""

from sqlalchemy import BigInteger, Boolean, Column, Double, MetaData, Table

from etl.models.types import RegistryText, UtcDateTime

# Their own MetaData: Alembic compares Base.metadata with the tables, and a view is none.
metadata = MetaData()

current_models = Table(
    "current_models",
    metadata,
    Column("id", RegistryText),
    Column("ml_repo_id", RegistryText),
    Column("ml_repo_name", RegistryText),
    Column("name", RegistryText),
    Column("fqn", RegistryText),
    Column("created_by_id", RegistryText),
    Column("created_by", RegistryText),
    Column("created_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    Column("latest_version_id", RegistryText),
    Column("latest_version", BigInteger),
    Column("version_alias", RegistryText),
    Column("framework_type", RegistryText),
    Column("tags", RegistryText),
    Column("version_count", BigInteger),
    comment="Models that the source has now, with repo, creator and latest version.",
)

current_model_versions = Table(
    "current_model_versions",
    metadata,
    Column("id", RegistryText),
    Column("model_id", RegistryText),
    Column("model_name", RegistryText),
    Column("ml_repo_id", RegistryText),
    Column("ml_repo_name", RegistryText),
    Column("fqn", RegistryText),
    Column("version", BigInteger),
    Column("version_alias", RegistryText),
    Column("description", RegistryText),
    Column("source_type", RegistryText),
    Column("source_uri", RegistryText),
    Column("framework_type", RegistryText),
    Column("base_model", RegistryText),
    Column("python_version", RegistryText),
    Column("deployable", Boolean),
    Column("artifact_size_bytes", BigInteger),
    Column("created_by_id", RegistryText),
    Column("created_by", RegistryText),
    Column("created_at", UtcDateTime),
    Column("updated_at", UtcDateTime),
    Column("is_latest", Boolean),
    Column("tags", RegistryText),
    comment="Versions that the source has now, with model, repo, creator and tags.",
)

tag_assignments = Table(
    "tag_assignments",
    metadata,
    Column("tag", RegistryText),
    Column("model_version_id", RegistryText),
    Column("model_id", RegistryText),
    Column("model_name", RegistryText),
    Column("ml_repo_name", RegistryText),
    Column("version", BigInteger),
    Column("fqn", RegistryText),
    comment="Each tag with the versions that carry it now.",
)

latest_metrics = Table(
    "latest_metrics",
    metadata,
    Column("model_version_id", RegistryText),
    Column("key", RegistryText),
    Column("value", Double),
    Column("value_special", RegistryText),
    Column("step", BigInteger),
    Column("logged_at", UtcDateTime),
    comment="The last value of each metric of each version that the source has now.",
)

sync_freshness = Table(
    "sync_freshness",
    metadata,
    Column("scope", RegistryText),
    Column("last_complete_run_id", RegistryText),
    Column("last_complete_at", UtcDateTime),
    Column("age_seconds", Double),
    Column("last_full_at", UtcDateTime),
    Column("watermark", UtcDateTime),
    Column("models", BigInteger),
    Column("model_versions", BigInteger),
    Column("rejected", BigInteger),
    comment="Age of the last complete run of each scope, and what is live in the tables.",
)
