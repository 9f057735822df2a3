"""All tables and their indexes.

Revision 0001, the first. etl/store/comments.py writes the comments, from the mappings in etl/models.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIMESTAMP = sa.DateTime(timezone=True)
# Compared by bytes, which costs less than the rules of a language.
ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.Text().with_variant(JSONB(), "postgresql")
# SQLite generates values only for a key that is declared INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables and indexes."""
    op.create_table(
        "ml_repos",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant_name", sa.Text()),
        sa.Column("name", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("storage_integration_fqn", sa.Text()),
        sa.Column("created_by_id", ID),
        sa.Column("created_at", TIMESTAMP),
        sa.Column("is_derived", sa.Boolean(), nullable=False),
        sa.Column("extra", JSON),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("first_seen_at", TIMESTAMP, nullable=False),
        sa.Column("last_changed_at", TIMESTAMP, nullable=False),
        sa.Column("deleted_at", TIMESTAMP),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ml_repos")),
    )
    op.create_table(
        "model_versions",
        sa.Column("id", ID, nullable=False),
        sa.Column("model_id", ID, nullable=False),
        sa.Column("ml_repo_id", ID),
        sa.Column("fqn", sa.Text()),
        sa.Column("version", sa.BigInteger()),
        sa.Column("version_alias", sa.Text()),
        sa.Column("description", sa.Text()),
        sa.Column("source_type", sa.Text()),
        sa.Column("source_uri", sa.Text()),
        sa.Column("framework_type", sa.Text()),
        sa.Column("library_name", sa.Text()),
        sa.Column("pipeline_tag", sa.Text()),
        sa.Column("base_model", sa.Text()),
        sa.Column("python_version", sa.Text()),
        sa.Column("step", sa.BigInteger()),
        sa.Column("run_id", ID),
        sa.Column("deployable", sa.Boolean()),
        sa.Column("artifact_size_bytes", sa.BigInteger()),
        sa.Column("usage_code_snippet", sa.Text()),
        sa.Column("created_by_id", ID),
        sa.Column("created_at", TIMESTAMP),
        sa.Column("updated_at", TIMESTAMP),
        sa.Column("metadata", JSON),
        sa.Column("manifest", JSON),
        sa.Column("superseded_at", TIMESTAMP),
        sa.Column("extra", JSON),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("first_seen_at", TIMESTAMP, nullable=False),
        sa.Column("last_changed_at", TIMESTAMP, nullable=False),
        sa.Column("deleted_at", TIMESTAMP),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_versions")),
    )
    _create_partial_index("ix_model_versions_deleted_at", "model_versions", "deleted_at", "deleted_at IS NOT NULL")
    op.create_index(op.f("ix_model_versions_ml_repo_id"), "model_versions", ["ml_repo_id"])
    op.create_index(op.f("ix_model_versions_model_id_id"), "model_versions", ["model_id", "id"])
    _create_partial_index(
        "ix_model_versions_superseded_at", "model_versions", "superseded_at", "superseded_at IS NOT NULL"
    )
    op.create_index(op.f("ix_model_versions_updated_at"), "model_versions", ["updated_at"])
    op.create_table(
        "models",
        sa.Column("id", ID, nullable=False),
        sa.Column("ml_repo_id", ID),
        sa.Column("name", sa.Text()),
        sa.Column("fqn", sa.Text()),
        sa.Column("type", sa.Text()),
        sa.Column("created_by_id", ID),
        sa.Column("created_at", TIMESTAMP),
        sa.Column("updated_at", TIMESTAMP),
        sa.Column("latest_version_id", ID),
        sa.Column("extra", JSON),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("first_seen_at", TIMESTAMP, nullable=False),
        sa.Column("last_changed_at", TIMESTAMP, nullable=False),
        sa.Column("deleted_at", TIMESTAMP),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
    )
    _create_partial_index("ix_models_deleted_at", "models", "deleted_at", "deleted_at IS NOT NULL")
    op.create_index(op.f("ix_models_ml_repo_id"), "models", ["ml_repo_id"])
    op.create_index(op.f("ix_models_updated_at"), "models", ["updated_at"])
    op.create_table(
        "production_words",
        sa.Column("word", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_production_words")),
    )
    op.create_table(
        "metric_directions",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("better", sa.Text()),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_metric_directions")),
    )
    op.create_table(
        "metric_words",
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("better", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_metric_words")),
    )
    op.create_table(
        "subjects",
        sa.Column("id", ID, nullable=False),
        sa.Column("type", sa.Text()),
        sa.Column("slug", sa.Text()),
        sa.Column("display_name", sa.Text()),
        sa.Column("pat_name", sa.Text()),
        sa.Column("extra", JSON),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subjects")),
    )
    op.create_table(
        "sync_runs",
        sa.Column("id", ID, nullable=False),
        sa.Column("started_at", TIMESTAMP, nullable=False),
        sa.Column("finished_at", TIMESTAMP),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("coverage", sa.Text()),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text()),
        sa.Column("scope", JSON, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("api_prefix", sa.Text()),
        sa.Column("tool_version", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("retries", sa.BigInteger(), nullable=False),
        sa.Column("bytes_received", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_runs")),
    )
    op.create_index(op.f("ix_sync_runs_started_at"), "sync_runs", ["started_at"])
    # Successful runs that compared every version of the whole registry.
    _create_partial_index(
        "ix_sync_runs_full", "sync_runs", "started_at", "mode = 'full' AND status = 'succeeded' AND scope = '{}'"
    )
    op.create_table(
        "changes",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("observed_at", TIMESTAMP, nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("entity_id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("field", sa.Text()),
        sa.Column("old_value", sa.Text()),
        sa.Column("new_value", sa.Text()),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name=op.f("fk_changes_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index(op.f("ix_changes_entity_entity_id_kind_field"), "changes", ["entity", "entity_id", "kind", "field"])
    op.create_index(op.f("ix_changes_entity_kind_field"), "changes", ["entity", "kind", "field"])
    op.create_index(op.f("ix_changes_observed_at"), "changes", ["observed_at"])
    op.create_index(op.f("ix_changes_run_id"), "changes", ["run_id"])
    op.create_table(
        "model_run_steps",
        sa.Column("model_id", ID, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_model_run_steps_model_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "position", name=op.f("pk_model_run_steps")),
    )
    op.create_table(
        "model_version_metrics",
        sa.Column("model_version_id", ID, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Double()),
        sa.Column("value_special", sa.Text()),
        sa.Column("step", sa.BigInteger()),
        sa.Column("timestamp_ms", sa.BigInteger()),
        sa.Column("logged_at", TIMESTAMP),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_model_version_metrics_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_version_id", "position", name=op.f("pk_model_version_metrics")),
    )
    op.create_index(op.f("ix_model_version_metrics_key"), "model_version_metrics", ["key"])
    op.create_table(
        "model_version_packages",
        sa.Column("model_version_id", ID, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("requirement", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("specifier", sa.Text()),
        sa.Column("pinned_version", sa.Text()),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_model_version_packages_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_version_id", "position", name=op.f("pk_model_version_packages")),
    )
    op.create_index(op.f("ix_model_version_packages_name"), "model_version_packages", ["name"])
    op.create_table(
        "model_version_tags",
        sa.Column("model_version_id", ID, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_model_version_tags_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_version_id", "position", name=op.f("pk_model_version_tags")),
    )
    op.create_index(op.f("ix_model_version_tags_tag"), "model_version_tags", ["tag"])
    op.create_table(
        "pruned_history",
        sa.Column("newest_change_at", TIMESTAMP, nullable=False),
        sa.PrimaryKeyConstraint("newest_change_at", name=op.f("pk_pruned_history")),
    )
    op.create_table(
        "rejected_records",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("record_id", ID),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("rejected_at", TIMESTAMP, nullable=False),
        sa.Column("resolved_at", TIMESTAMP),
        sa.ForeignKeyConstraint(
            ["run_id"], ["sync_runs.id"], name=op.f("fk_rejected_records_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected_records")),
    )
    op.create_index(op.f("ix_rejected_records_entity_record_id"), "rejected_records", ["entity", "record_id"])
    op.create_index(op.f("ix_rejected_records_run_id"), "rejected_records", ["run_id"])
    op.create_table(
        "sync_run_counts",
        sa.Column("run_id", ID, nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("inserted", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.Column("restored", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["sync_runs.id"], name=op.f("fk_sync_run_counts_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "entity", name=op.f("pk_sync_run_counts")),
    )
    op.create_table(
        "sync_scopes",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("ml_repo_id", ID),
        sa.Column("watermark", TIMESTAMP),
        sa.Column("last_complete_run_id", ID),
        sa.Column("last_complete_at", TIMESTAMP),
        sa.Column("last_full_at", TIMESTAMP),
        sa.Column("coverage", sa.Text(), nullable=False),
        sa.Column("lists_ml_repos", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["last_complete_run_id"],
            ["sync_runs.id"],
            name=op.f("fk_sync_scopes_last_complete_run_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_sync_scopes")),
    )
    op.create_table(
        "version_read_state",
        sa.Column("model_id", ID, nullable=False),
        sa.Column("change_hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_version_read_state_model_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_version_read_state")),
    )


def _create_partial_index(name: str, table: str, column: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, [column], postgresql_where=condition, sqlite_where=condition)


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("version_read_state")
    op.drop_table("sync_scopes")
    op.drop_table("sync_run_counts")
    op.drop_table("rejected_records")
    op.drop_table("pruned_history")
    op.drop_table("model_version_tags")
    op.drop_table("model_version_packages")
    op.drop_table("model_version_metrics")
    op.drop_table("model_run_steps")
    op.drop_table("changes")
    op.drop_table("sync_runs")
    op.drop_table("subjects")
    op.drop_table("metric_words")
    op.drop_table("metric_directions")
    op.drop_table("production_words")
    op.drop_table("models")
    op.drop_table("model_versions")
    op.drop_table("ml_repos")
