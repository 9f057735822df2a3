"""Registry and bookkeeping tables.

Revision 0001, the first.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.Text().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "ml_repos",
        sa.Column("id", sa.Text(), nullable=False, comment="The source's id, a number as text."),
        sa.Column("tenant_name", sa.Text(), comment="Tenant that owns the repo."),
        sa.Column("name", sa.Text(), comment="Name within the tenant."),
        sa.Column("description", sa.Text(), comment="What its owner wrote about it."),
        sa.Column("storage_integration_fqn", sa.Text(), comment="Blob storage that holds its artifacts."),
        sa.Column("created_by_id", sa.Text(), comment="subjects.id of who created it."),
        sa.Column("created_at", MOMENT, comment="When it was created, UTC."),
        sa.Column("extra", JSON, comment="Fields of the record that have no column, as JSON."),
        sa.Column(
            "content_hash",
            sa.Text(),
            nullable=False,
            comment="Hash of the record's content, in canonical form.",
        ),
        sa.Column("first_seen_at", MOMENT, nullable=False, comment="When a run first stored this record."),
        sa.Column(
            "last_changed_at",
            MOMENT,
            nullable=False,
            comment="When a run last found it changed, deleted or restored.",
        ),
        sa.Column("deleted_at", MOMENT, comment="When a run found it gone; NULL while the source has it."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ml_repos")),
        comment="ML repos of the control plane.",
    )
    op.create_index(op.f("ix_ml_repos_deleted_at"), "ml_repos", ["deleted_at"])
    op.create_table(
        "model_versions",
        sa.Column("id", sa.Text(), nullable=False, comment="The source's id."),
        sa.Column("model_id", sa.Text(), nullable=False, comment="models.id of its model."),
        sa.Column("ml_repo_id", sa.Text(), comment="ml_repos.id of its repo."),
        sa.Column("fqn", sa.Text(), comment="model:{tenant}/{ml_repo}/{model}:{version}"),
        sa.Column("version", sa.BigInteger(), comment="Number: the manifest's, else the end of the fqn."),
        sa.Column("version_alias", sa.Text(), comment="Readable alias such as v1-prod."),
        sa.Column("description", sa.Text(), comment="What its author wrote about it."),
        sa.Column("source_type", sa.Text(), comment="truefoundry, external, local; unknown types as they came."),
        sa.Column("source_uri", sa.Text(), comment="Where the files are."),
        sa.Column(
            "framework_type",
            sa.Text(),
            comment="transformers, sklearn, xgboost, …; unknown types as they came.",
        ),
        sa.Column("library_name", sa.Text(), comment="Library of a transformers model."),
        sa.Column("pipeline_tag", sa.Text(), comment="Task of a transformers model."),
        sa.Column("base_model", sa.Text(), comment="Model that it was made from."),
        sa.Column("python_version", sa.Text(), comment="Python of its environment."),
        sa.Column("step", sa.BigInteger(), comment="Training step at which it was logged."),
        sa.Column("run_id", sa.Text(), comment="Run that logged it."),
        sa.Column("deployable", sa.Boolean(), comment="Whether the control plane can deploy it."),
        sa.Column("artifact_size_bytes", sa.BigInteger(), comment="Size of its files, in bytes."),
        sa.Column("usage_code_snippet", sa.Text(), comment="Code that the control plane shows for using it."),
        sa.Column("created_by_id", sa.Text(), comment="subjects.id of who created it."),
        sa.Column("created_at", MOMENT, comment="When it was created, UTC."),
        sa.Column("updated_at", MOMENT, comment="When the source says it last changed, UTC: a hint."),
        sa.Column("metadata", JSON, comment="Free metadata of the manifest, as JSON."),
        sa.Column("manifest", JSON, comment="The whole manifest, as JSON."),
        sa.Column("extra", JSON, comment="Fields of the record that have no column, as JSON."),
        sa.Column(
            "content_hash",
            sa.Text(),
            nullable=False,
            comment="Hash of the record's content, in canonical form.",
        ),
        sa.Column("first_seen_at", MOMENT, nullable=False, comment="When a run first stored this record."),
        sa.Column(
            "last_changed_at",
            MOMENT,
            nullable=False,
            comment="When a run last found it changed, deleted or restored.",
        ),
        sa.Column("deleted_at", MOMENT, comment="When a run found it gone; NULL while the source has it."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_versions")),
        comment="Versions of the models.",
    )
    op.create_index(op.f("ix_model_versions_deleted_at"), "model_versions", ["deleted_at"])
    op.create_index(op.f("ix_model_versions_framework_type"), "model_versions", ["framework_type"])
    op.create_index(op.f("ix_model_versions_ml_repo_id"), "model_versions", ["ml_repo_id"])
    op.create_index(op.f("ix_model_versions_model_id"), "model_versions", ["model_id"])
    op.create_index(op.f("ix_model_versions_updated_at"), "model_versions", ["updated_at"])
    op.create_table(
        "models",
        sa.Column("id", sa.Text(), nullable=False, comment="The source's id."),
        sa.Column("ml_repo_id", sa.Text(), comment="ml_repos.id of its repo."),
        sa.Column("name", sa.Text(), comment="Name within its repo."),
        sa.Column("fqn", sa.Text(), comment="model:{tenant}/{ml_repo}/{model}"),
        sa.Column("type", sa.Text(), comment="Kind of artifact: model."),
        sa.Column("created_by_id", sa.Text(), comment="subjects.id of who created it."),
        sa.Column("created_at", MOMENT, comment="When it was created, UTC."),
        sa.Column("updated_at", MOMENT, comment="When the source says it last changed, UTC: a hint."),
        sa.Column(
            "latest_version_id",
            sa.Text(),
            comment="model_versions.id that the source calls the latest; NULL if empty.",
        ),
        sa.Column("extra", JSON, comment="Fields of the record that have no column, as JSON."),
        sa.Column(
            "content_hash",
            sa.Text(),
            nullable=False,
            comment="Hash of the record's content, in canonical form.",
        ),
        sa.Column("first_seen_at", MOMENT, nullable=False, comment="When a run first stored this record."),
        sa.Column(
            "last_changed_at",
            MOMENT,
            nullable=False,
            comment="When a run last found it changed, deleted or restored.",
        ),
        sa.Column("deleted_at", MOMENT, comment="When a run found it gone; NULL while the source has it."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        comment="Models of the registry.",
    )
    op.create_index(op.f("ix_models_deleted_at"), "models", ["deleted_at"])
    op.create_index(op.f("ix_models_ml_repo_id"), "models", ["ml_repo_id"])
    op.create_index(op.f("ix_models_updated_at"), "models", ["updated_at"])
    op.create_table(
        "subjects",
        sa.Column("id", sa.Text(), nullable=False, comment="The source's subjectId."),
        sa.Column(
            "type",
            sa.Text(),
            comment="user, team, serviceaccount, virtualaccount, …; unknown types as they came.",
        ),
        sa.Column("slug", sa.Text(), comment="Often the e-mail address."),
        sa.Column("display_name", sa.Text(), comment="Name to show to people."),
        sa.Column("pat_name", sa.Text(), comment="Name of the personal access token used."),
        sa.Column("extra", JSON, comment="Fields that have no column, as JSON."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subjects")),
        comment="Who created repos, models and versions.",
    )
    op.create_table(
        "sync_runs",
        sa.Column("id", sa.Text(), nullable=False, comment="UUID of the run."),
        sa.Column("started_at", MOMENT, nullable=False, comment="Start, UTC."),
        sa.Column("finished_at", MOMENT, comment="End, UTC; NULL while running."),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="running, succeeded, partial, failed, refused or interrupted.",
        ),
        sa.Column(
            "complete",
            sa.Boolean(),
            nullable=False,
            comment="Whether everything in scope was proven to be read.",
        ),
        sa.Column("mode", sa.Text(), nullable=False, comment="incremental or full (every version compared)."),
        sa.Column("proof", sa.Text(), comment="How completeness was proven: anchored or confirmed."),
        sa.Column("scope", JSON, nullable=False, comment="The filters of the run, as JSON."),
        sa.Column("host", sa.Text(), nullable=False, comment="Address of the control plane."),
        sa.Column("api_prefix", sa.Text(), comment="Path of the API below the host."),
        sa.Column("tool_version", sa.Text(), nullable=False, comment="Release of tfy-etl."),
        sa.Column("requests", sa.BigInteger(), nullable=False, comment="HTTP requests sent, retries included."),
        sa.Column("retries", sa.BigInteger(), nullable=False, comment="Requests that were sent again."),
        sa.Column("bytes_received", sa.BigInteger(), nullable=False, comment="Bytes of all answers, decoded."),
        sa.Column("error", sa.Text(), comment="Why it failed, in one line."),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_runs")),
        comment="One row for each run.",
    )
    op.create_index(op.f("ix_sync_runs_started_at"), "sync_runs", ["started_at"])
    op.create_table(
        "changes",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="Row number, in the order of writing.",
        ),
        sa.Column("run_id", sa.Text(), nullable=False, comment="sync_runs.id"),
        sa.Column("observed_at", MOMENT, nullable=False, comment="Start of the run that saw it, UTC."),
        sa.Column("entity", sa.Text(), nullable=False, comment="ml_repos, models or model_versions."),
        sa.Column("entity_id", sa.Text(), nullable=False, comment="Id of the record."),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="created, updated, deleted, restored, tag_added or tag_removed.",
        ),
        sa.Column("field", sa.Text(), comment="Column, or path such as metadata.team or metrics.auc."),
        sa.Column("old_value", sa.Text(), comment="Before."),
        sa.Column("new_value", sa.Text(), comment="After."),
        sa.ForeignKeyConstraint(["run_id"], ["sync_runs.id"], name=op.f("fk_changes_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
        comment="Every change that a run found, field by field.",
    )
    op.create_index(op.f("ix_changes_entity_entity_id"), "changes", ["entity", "entity_id"])
    op.create_index(op.f("ix_changes_run_id"), "changes", ["run_id"])
    op.create_table(
        "model_run_steps",
        sa.Column("model_id", sa.Text(), nullable=False, comment="models.id"),
        sa.Column(
            "position",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Place in the source's list, from 0.",
        ),
        sa.Column("step", sa.BigInteger(), comment="The step."),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_model_run_steps_model_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", "position", name=op.f("pk_model_run_steps")),
        comment="Run steps of the models.",
    )
    op.create_table(
        "model_version_metrics",
        sa.Column("model_version_id", sa.Text(), nullable=False, comment="model_versions.id"),
        sa.Column(
            "position",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Place in the source's list, from 0.",
        ),
        sa.Column("key", sa.Text(), nullable=False, comment="Name of the metric."),
        sa.Column("value", sa.Double(), comment="The value; NULL where it was null or not finite."),
        sa.Column("value_special", sa.Text(), comment="NaN, Infinity or -Infinity where the value was that."),
        sa.Column("step", sa.BigInteger(), comment="Training step of the value."),
        sa.Column(
            "timestamp_ms",
            sa.BigInteger(),
            comment="When it was logged, milliseconds since 1970, as the source has it.",
        ),
        sa.Column("logged_at", MOMENT, comment="The same moment, UTC."),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_model_version_metrics_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_version_id", "position", name=op.f("pk_model_version_metrics")),
        comment="Metrics logged for the versions.",
    )
    op.create_index(op.f("ix_model_version_metrics_key"), "model_version_metrics", ["key"])
    op.create_table(
        "model_version_packages",
        sa.Column("model_version_id", sa.Text(), nullable=False, comment="model_versions.id"),
        sa.Column(
            "position",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Place in the source's list, from 0.",
        ),
        sa.Column("requirement", sa.Text(), nullable=False, comment="The requirement as written."),
        sa.Column(
            "name",
            sa.Text(),
            comment="Normalised name of the package; NULL if the requirement does not parse.",
        ),
        sa.Column("specifier", sa.Text(), comment="Version specifier, such as ==1.4.2."),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_model_version_packages_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_version_id", "position", name=op.f("pk_model_version_packages")),
        comment="Python packages that the versions ask for.",
    )
    op.create_index(op.f("ix_model_version_packages_name"), "model_version_packages", ["name"])
    op.create_table(
        "model_version_tags",
        sa.Column("model_version_id", sa.Text(), nullable=False, comment="model_versions.id"),
        sa.Column(
            "position",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="Place in the source's list, from 0.",
        ),
        sa.Column("tag", sa.Text(), nullable=False, comment="The tag, case kept."),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_model_version_tags_model_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_version_id", "position", name=op.f("pk_model_version_tags")),
        comment="Tags of the versions, each once.",
    )
    op.create_index(op.f("ix_model_version_tags_tag"), "model_version_tags", ["tag"])
    op.create_table(
        "rejected_records",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, comment="Row number."),
        sa.Column("run_id", sa.Text(), nullable=False, comment="sync_runs.id of the run that first met it."),
        sa.Column("entity", sa.Text(), nullable=False, comment="ml_repos, models or model_versions."),
        sa.Column("record_id", sa.Text(), comment="Its id, where it has one."),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why it could not be stored."),
        sa.Column("payload", sa.Text(), nullable=False, comment="The record as received, as JSON text."),
        sa.Column("rejected_at", MOMENT, nullable=False, comment="When, UTC."),
        sa.ForeignKeyConstraint(
            ["run_id"], ["sync_runs.id"], name=op.f("fk_rejected_records_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected_records")),
        comment="Records that could not be stored.",
    )
    op.create_index(op.f("ix_rejected_records_entity_record_id"), "rejected_records", ["entity", "record_id"])
    op.create_index(op.f("ix_rejected_records_run_id"), "rejected_records", ["run_id"])
    op.create_table(
        "sync_run_counts",
        sa.Column("run_id", sa.Text(), nullable=False, comment="sync_runs.id"),
        sa.Column("entity", sa.Text(), nullable=False, comment="ml_repos, models or model_versions."),
        sa.Column("seen", sa.BigInteger(), nullable=False, comment="Distinct records that the source showed."),
        sa.Column("inserted", sa.BigInteger(), nullable=False, comment="Stored for the first time."),
        sa.Column("updated", sa.BigInteger(), nullable=False, comment="Found changed."),
        sa.Column("unchanged", sa.BigInteger(), nullable=False, comment="Found as stored, or older than stored."),
        sa.Column("deleted", sa.BigInteger(), nullable=False, comment="Marked as deleted."),
        sa.Column("restored", sa.BigInteger(), nullable=False, comment="Came back after a delete."),
        sa.Column("rejected", sa.BigInteger(), nullable=False, comment="Could not be stored; see rejected_records."),
        sa.ForeignKeyConstraint(
            ["run_id"], ["sync_runs.id"], name=op.f("fk_sync_run_counts_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "entity", name=op.f("pk_sync_run_counts")),
        comment="Counts of each run, by table.",
    )
    op.create_table(
        "sync_scopes",
        sa.Column("scope", sa.Text(), nullable=False, comment="all, or the filters as canonical JSON."),
        sa.Column("watermark", MOMENT, comment="Largest updated_at of a complete run, never past its start."),
        sa.Column("last_complete_run_id", sa.Text(), comment="sync_runs.id"),
        sa.Column("last_complete_at", MOMENT, comment="Start of the last complete run, UTC."),
        sa.Column("last_full_at", MOMENT, comment="Start of the last complete run that compared every version, UTC."),
        sa.ForeignKeyConstraint(
            ["last_complete_run_id"],
            ["sync_runs.id"],
            name=op.f("fk_sync_scopes_last_complete_run_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_sync_scopes")),
        comment="State of each scope that runs were given.",
    )
    op.create_table(
        "version_reads",
        sa.Column("model_id", sa.Text(), nullable=False, comment="models.id"),
        sa.Column(
            "fingerprint",
            sa.Text(),
            nullable=False,
            comment="Hash of the model as listed, its latest version included.",
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_version_reads_model_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_version_reads")),
        comment="State of each model when its versions were last read in full.",
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("version_reads")
    op.drop_table("sync_scopes")
    op.drop_table("sync_run_counts")
    op.drop_table("rejected_records")
    op.drop_table("model_version_tags")
    op.drop_table("model_version_packages")
    op.drop_table("model_version_metrics")
    op.drop_table("model_run_steps")
    op.drop_table("changes")
    op.drop_table("sync_runs")
    op.drop_table("subjects")
    op.drop_table("models")
    op.drop_table("model_versions")
    op.drop_table("ml_repos")
