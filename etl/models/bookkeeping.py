"""Tables about runs: runs and their counts, rejected records, changes, and the state of each scope."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from etl.enums import Coverage, Entity, RunStatus
from etl.models.base import Base, Id, allowed_values, partial_index

# SQLite generates values only for a key that is declared INTEGER.
_RowNumber = BigInteger().with_variant(Integer, "sqlite")

_ENTITIES = allowed_values(*Entity)
_COVERAGE = allowed_values(*Coverage)


class SyncRun(Base):
    """A run: inserted at its start, and completed in the one transaction of the run."""

    __tablename__ = "sync_runs"

    id: Mapped[Id] = mapped_column(primary_key=True, comment="UUID of the run.")
    started_at: Mapped[datetime] = mapped_column(comment="Start, UTC.")
    finished_at: Mapped[datetime | None] = mapped_column(comment="End, UTC; NULL while running.")
    status: Mapped[str] = mapped_column(
        info=allowed_values(*RunStatus),
        comment="running; succeeded or partial: records were written; failed, refused or interrupted: none were "
        "written.",
    )
    complete: Mapped[bool] = mapped_column(comment="Whether the run proved that it read everything in its scope.")
    coverage: Mapped[str | None] = mapped_column(
        info=_COVERAGE,
        comment="all: every version; latest: only the latest version of each model; NULL if the run ended "
        "before it knew.",
    )
    mode: Mapped[str] = mapped_column(
        info=allowed_values("incremental", "full"), comment="incremental; or full: every version was compared."
    )
    proof: Mapped[str | None] = mapped_column(
        info=allowed_values("anchored", "confirmed"),
        comment="Proof of completeness: anchored, pages overlap by one record; confirmed, two sweeps agree; "
        "NULL if none.",
    )
    scope: Mapped[dict[str, Any]] = mapped_column(comment="The filters of the run, as JSON; {} for the whole registry.")
    host: Mapped[str] = mapped_column(comment="Address of the control plane.")
    api_prefix: Mapped[str | None] = mapped_column(comment="Path of the API below the host; NULL until it is found.")
    tool_version: Mapped[str] = mapped_column(comment="Release of tfy-etl.")
    requests: Mapped[int] = mapped_column(comment="HTTP requests sent, retries included.")
    retries: Mapped[int] = mapped_column(comment="Requests that were sent again.")
    bytes_received: Mapped[int] = mapped_column(comment="Bytes of all responses, as transferred.")
    error: Mapped[str | None] = mapped_column(comment="Why it failed, in one line; NULL if it did not.")

    __table_args__ = (
        Index(None, "started_at"),
        # Successful runs that compared every version of the whole registry: the views of history look for the last one.
        Index(
            "ix_sync_runs_full",
            "started_at",
            info=partial_index("mode = 'full' AND status = 'succeeded' AND scope = '{}'"),
        ),
        {"comment": "One row for each run of tfy-etl."},
    )


class SyncRunCount(Base):
    """The counts of one table in a run."""

    __tablename__ = "sync_run_counts"

    run_id: Mapped[Id] = mapped_column(
        ForeignKey("sync_runs.id", ondelete="CASCADE"), primary_key=True, comment="sync_runs.id of the run."
    )
    entity: Mapped[str] = mapped_column(
        primary_key=True, info=_ENTITIES, comment="Table: ml_repos, models or model_versions."
    )
    seen: Mapped[int] = mapped_column(comment="Distinct records that the source returned.")
    inserted: Mapped[int] = mapped_column(comment="Records stored for the first time.")
    updated: Mapped[int] = mapped_column(comment="Records found changed.")
    unchanged: Mapped[int] = mapped_column(comment="Records found as stored, or older than stored.")
    deleted: Mapped[int] = mapped_column(comment="Records marked as deleted.")
    restored: Mapped[int] = mapped_column(comment="Records that the source has again after a delete.")
    rejected: Mapped[int] = mapped_column(comment="Records that could not be stored; see rejected_records.")

    __table_args__ = ({"comment": "Counts of records by run and table, for runs that wrote records."},)


class SyncScope(Base):
    """The state of a scope after its last complete run."""

    __tablename__ = "sync_scopes"

    scope: Mapped[str] = mapped_column(
        primary_key=True, comment="all, or the filters as canonical JSON; long JSON is cut and hashed."
    )
    ml_repo_id: Mapped[Id | None] = mapped_column(
        comment="ml_repos.id, if the scope is one whole ML repo; NULL for the whole registry and other filters."
    )
    watermark: Mapped[datetime | None] = mapped_column(
        comment="Largest updated_at of a complete run, never after its start, UTC; NULL if no record had one."
    )
    last_complete_run_id: Mapped[Id | None] = mapped_column(
        ForeignKey("sync_runs.id", ondelete="SET NULL"),
        comment="sync_runs.id of the last complete run; NULL if its row was deleted.",
    )
    last_complete_at: Mapped[datetime | None] = mapped_column(
        comment="Start of the last complete run, UTC; never NULL as tfy-etl writes it."
    )
    last_full_at: Mapped[datetime | None] = mapped_column(
        comment="Start of the last complete run that compared every version, UTC; NULL if there was none."
    )
    coverage: Mapped[str] = mapped_column(
        info=_COVERAGE,
        comment="Coverage of the last complete run. all: every version; latest: only the latest version of each model.",
    )
    lists_ml_repos: Mapped[bool] = mapped_column(
        comment="Whether the control plane listed ML repos in the last complete run."
    )

    __table_args__ = (
        {
            "comment": "State of each scope after its last complete run; no row before the first one. A run over whole "
            "ML repos has a row for each of them."
        },
    )


class RejectedRecord(Base):
    """A record that could not be stored, with its complete payload."""

    __tablename__ = "rejected_records"

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True, comment="Row number.")
    run_id: Mapped[Id] = mapped_column(
        ForeignKey("sync_runs.id", ondelete="CASCADE"), comment="sync_runs.id of the run that first received it."
    )
    entity: Mapped[str] = mapped_column(
        info=_ENTITIES, comment="Table it belongs in: ml_repos, models or model_versions."
    )
    record_id: Mapped[Id | None] = mapped_column(comment="The record's id; NULL if it has no readable one.")
    reason: Mapped[str] = mapped_column(comment="Why it could not be stored.")
    # ASCII JSON text, which can represent every record; json.loads reads it.
    payload: Mapped[str] = mapped_column(Text, comment="The record as received, as JSON text.")
    rejected_at: Mapped[datetime] = mapped_column(comment="Start of that run, UTC.")
    resolved_at: Mapped[datetime | None] = mapped_column(
        comment="Start of the run that stored the record or found it missing, UTC; NULL while it is unresolved."
    )

    __table_args__ = (
        Index(None, "run_id"),
        Index(None, "entity", "record_id"),
        {"comment": "Records that could not be stored, in full and with the reason; resolved_at is NULL at first."},
    )


class Change(Base):
    """A change of one field; the first load of a scope writes no rows."""

    __tablename__ = "changes"

    id: Mapped[int] = mapped_column(_RowNumber, primary_key=True, comment="Row number, in the order of writing.")
    run_id: Mapped[Id] = mapped_column(
        ForeignKey("sync_runs.id", ondelete="CASCADE"), comment="sync_runs.id of the run that found it."
    )
    observed_at: Mapped[datetime] = mapped_column(
        comment="Start of that run, UTC. The change happened before the run ended (sync_runs.finished_at)."
    )
    entity: Mapped[str] = mapped_column(
        info=_ENTITIES, comment="Table of the record: ml_repos, models or model_versions."
    )
    entity_id: Mapped[Id] = mapped_column(comment="Id of the record in that table.")
    kind: Mapped[str] = mapped_column(
        info=allowed_values("created", "updated", "deleted", "restored", "tag_added", "tag_removed"),
        comment="created, updated, deleted, restored, tag_added or tag_removed.",
    )
    field: Mapped[str | None] = mapped_column(
        comment="Column, or path such as metadata.team or metrics.auc; NULL if the record was created, deleted "
        "or restored.",
    )
    old_value: Mapped[str | None] = mapped_column(comment="Value before, as text; NULL if there was none.")
    new_value: Mapped[str | None] = mapped_column(comment="Value after, as text; NULL if there is none.")

    __table_args__ = (
        Index(None, "run_id"),
        Index(None, "entity", "entity_id", "kind", "field"),
        Index(None, "entity", "kind", "field"),
        Index(None, "observed_at"),
        {"comment": "Every change that a run found, field by field; the first load of a scope writes none."},
    )


class PrunedHistory(Base):
    """How far `prune` has deleted changes: no row, or one."""

    __tablename__ = "pruned_history"

    newest_change_at: Mapped[datetime] = mapped_column(
        primary_key=True, comment="The largest observed_at of the changes that prune deleted, UTC."
    )

    __table_args__ = (
        {"comment": "How far prune deleted changes: earlier moments are unknown. One row; none if it deleted none."},
    )


class VersionReadState(Base):
    """The state of a model when its versions were last read in full; the next run plans by it."""

    __tablename__ = "version_read_state"

    model_id: Mapped[Id] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), primary_key=True, comment="models.id of the model."
    )
    change_hash: Mapped[str] = mapped_column(
        comment="Hash of the model as it was listed then, its latest version included."
    )

    __table_args__ = (
        {"comment": "State of each model when its versions were last read in full; the next run plans by it."},
    )
