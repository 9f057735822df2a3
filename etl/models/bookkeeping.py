"""The runs' own tables: what each run did, what it could not store, what changed, how far it got."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from etl.models.base import Base

# SQLite counts up only a key that is declared INTEGER.
_RowNumber = BigInteger().with_variant(Integer, "sqlite")


class SyncRun(Base):
    """A row for each run, written at its start and closed in the run's one commit."""

    __tablename__ = "sync_runs"

    id: Mapped[str] = mapped_column(primary_key=True, comment="UUID of the run.")
    started_at: Mapped[datetime] = mapped_column(comment="Start, UTC.")
    finished_at: Mapped[datetime | None] = mapped_column(comment="End, UTC; NULL while running.")
    status: Mapped[str] = mapped_column(comment="running, succeeded, partial, failed, refused or interrupted.")
    complete: Mapped[bool] = mapped_column(comment="Whether everything in scope was proven to be read.")
    mode: Mapped[str] = mapped_column(comment="incremental or full (every version compared).")
    proof: Mapped[str | None] = mapped_column(comment="How completeness was proven: anchored or confirmed.")
    scope: Mapped[dict[str, Any]] = mapped_column(comment="The filters of the run, as JSON.")
    host: Mapped[str] = mapped_column(comment="Address of the control plane.")
    api_prefix: Mapped[str | None] = mapped_column(comment="Path of the API below the host.")
    tool_version: Mapped[str] = mapped_column(comment="Release of tfy-etl.")
    requests: Mapped[int] = mapped_column(comment="HTTP requests sent, retries included.")
    retries: Mapped[int] = mapped_column(comment="Requests that were sent again.")
    bytes_received: Mapped[int] = mapped_column(comment="Bytes of all answers, decoded.")
    error: Mapped[str | None] = mapped_column(comment="Why it failed, in one line.")

    __table_args__ = (Index(None, "started_at"), {"comment": "One row for each run."})


class SyncRunCount(Base):
    """What a run did to one table."""

    __tablename__ = "sync_run_counts"

    run_id: Mapped[str] = mapped_column(
        ForeignKey("sync_runs.id", ondelete="CASCADE"), primary_key=True, comment="sync_runs.id"
    )
    entity: Mapped[str] = mapped_column(primary_key=True, comment="ml_repos, models or model_versions.")
    seen: Mapped[int] = mapped_column(comment="Distinct records that the source showed.")
    inserted: Mapped[int] = mapped_column(comment="Stored for the first time.")
    updated: Mapped[int] = mapped_column(comment="Found changed.")
    unchanged: Mapped[int] = mapped_column(comment="Found as stored, or older than stored.")
    deleted: Mapped[int] = mapped_column(comment="Marked as deleted.")
    restored: Mapped[int] = mapped_column(comment="Came back after a delete.")
    rejected: Mapped[int] = mapped_column(comment="Could not be stored; see rejected_records.")

    __table_args__ = ({"comment": "Counts of each run, by table."},)


class SyncScope(Base):
    """How far the runs of one scope got."""

    __tablename__ = "sync_scopes"

    scope: Mapped[str] = mapped_column(primary_key=True, comment="all, or the filters as canonical JSON.")
    watermark: Mapped[datetime | None] = mapped_column(
        comment="Largest updated_at of a complete run, never past its start."
    )
    last_complete_run_id: Mapped[str | None] = mapped_column(
        ForeignKey("sync_runs.id", ondelete="SET NULL"), comment="sync_runs.id"
    )
    last_complete_at: Mapped[datetime | None] = mapped_column(comment="Start of the last complete run, UTC.")
    last_full_at: Mapped[datetime | None] = mapped_column(
        comment="Start of the last complete run that compared every version, UTC."
    )

    __table_args__ = ({"comment": "State of each scope that runs were given."},)


class RejectedRecord(Base):
    """A record that could not be stored, whole."""

    __tablename__ = "rejected_records"

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True, comment="Row number.")
    run_id: Mapped[str] = mapped_column(
        ForeignKey("sync_runs.id", ondelete="CASCADE"), comment="sync_runs.id of the run that first met it."
    )
    entity: Mapped[str] = mapped_column(comment="ml_repos, models or model_versions.")
    record_id: Mapped[str | None] = mapped_column(comment="Its id, where it has one.")
    reason: Mapped[str] = mapped_column(comment="Why it could not be stored.")
    # Pure ASCII JSON text: whatever came can be written to it, and read back by json.loads.
    payload: Mapped[str] = mapped_column(Text, comment="The record as received, as JSON text.")
    rejected_at: Mapped[datetime] = mapped_column(comment="When, UTC.")
    resolved_at: Mapped[datetime | None] = mapped_column(
        comment="When a later run could store the record, or found it gone; NULL while open."
    )

    __table_args__ = (
        Index(None, "run_id"),
        Index(None, "entity", "record_id"),
        {"comment": "Records that could not be stored."},
    )


class Change(Base):
    """What moved, field by field; the first load of a scope writes no rows."""

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True, comment="Row number, in the order of writing.")
    run_id: Mapped[str] = mapped_column(ForeignKey("sync_runs.id", ondelete="CASCADE"), comment="sync_runs.id")
    observed_at: Mapped[datetime] = mapped_column(comment="Start of the run that saw it, UTC.")
    entity: Mapped[str] = mapped_column(comment="ml_repos, models or model_versions.")
    entity_id: Mapped[str] = mapped_column(comment="Id of the record.")
    kind: Mapped[str] = mapped_column(comment="created, updated, deleted, restored, tag_added or tag_removed.")
    field: Mapped[str | None] = mapped_column(comment="Column, or path such as metadata.team or metrics.auc.")
    old_value: Mapped[str | None] = mapped_column(comment="Before.")
    new_value: Mapped[str | None] = mapped_column(comment="After.")

    __table_args__ = (
        Index(None, "run_id"),
        Index(None, "entity", "entity_id", "kind"),
        Index(None, "entity", "kind", "field"),
        Index(None, "observed_at"),
        {"comment": "Every change that a run found, field by field."},
    )


class VersionRead(Base):
    """As what a model was seen when all of its versions were last read: the plan of the next run rests on it."""

    __tablename__ = "version_reads"

    model_id: Mapped[str] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), primary_key=True, comment="models.id"
    )
    fingerprint: Mapped[str] = mapped_column(comment="Hash of the model as listed, its latest version included.")

    __table_args__ = ({"comment": "State of each model when its versions were last read in full."},)
