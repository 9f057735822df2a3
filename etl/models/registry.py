"""The registry tables: ML repos, subjects, models, versions and their lists.

Ids are those of the source. There are no foreign keys between repos, models and versions, because the source may
list a version without its model, and both must be kept. `refers_to` declares these references. Lists of a version
or a model (tags, metrics, packages, run steps) have their own tables, with the position in the list in the key.

Relationships are `viewonly=True`: only the sync writes these tables, by Core statements. A relationship ignores
`deleted_at`, and also returns rows that are soft-deleted. A relationship to a single row is None if the id is NULL
or if no row has it.

A relationship loads on first access (`lazy="select"`), which suits a single row. A query over many rows names its
relationships: `selectinload` for lists, `joinedload` for single rows, `raiseload("*")` to reject all others.

No column is deferred by default, so that `select(ModelVersion)` returns complete rows, and a loop over `manifest`
runs no statement for each row. Use `load_only` to leave out large columns (`manifest`, `metadata`, `extra`,
`usage_code_snippet`). docs/how-to/analysts/orm.md has examples.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from etl.models.base import Base, Id, partial_index, soft_reference
from etl.models.types import RegistryJson

if TYPE_CHECKING:
    from etl.models.registry_lists import ModelRunStep, ModelVersionMetric, ModelVersionPackage, ModelVersionTag


class SyncedMixin:
    """Columns of `ml_repos`, `models` and `model_versions` that are not fields of the source."""

    extra: Mapped[dict[str, Any] | None] = mapped_column(
        sort_order=90, comment="Fields of the record that have no exact column, as JSON; NULL if there are none."
    )
    content_hash: Mapped[str] = mapped_column(
        sort_order=91, comment="Hash of the record's content in canonical form: it changes only with the content."
    )
    first_seen_at: Mapped[datetime] = mapped_column(
        sort_order=92, comment="Start of the run that first stored the record, UTC."
    )
    last_changed_at: Mapped[datetime] = mapped_column(
        sort_order=93, comment="Start of the last run that found the record new, changed, deleted or restored, UTC."
    )
    deleted_at: Mapped[datetime | None] = mapped_column(
        sort_order=94,
        comment="Start of the run that found it missing at the source, UTC; NULL while the source has it.",
    )


class MlRepo(SyncedMixin, Base):
    """A repository of models, with its own permissions."""

    __tablename__ = "ml_repos"

    id: Mapped[Id] = mapped_column(primary_key=True, comment="The source's id, a number as text.")
    tenant_name: Mapped[str | None] = mapped_column(
        comment="Tenant that owns the repo; NULL if the source does not say."
    )
    name: Mapped[str | None] = mapped_column(comment="Name within the tenant; NULL if the source does not say.")
    description: Mapped[str | None] = mapped_column(comment="Free-text description; NULL if there is none.")
    storage_integration_fqn: Mapped[str | None] = mapped_column(
        comment="Blob storage of its artifacts; NULL if the source does not say."
    )
    created_by_id: Mapped[Id | None] = mapped_column(
        info=soft_reference("subjects.id"), comment="subjects.id of its creator; NULL if the source does not say."
    )
    created_at: Mapped[datetime | None] = mapped_column(
        comment="When it was created, UTC; NULL if the source does not say."
    )
    is_derived: Mapped[bool] = mapped_column(
        comment="True if the source does not list it: id, name and tenant are then those that its models name."
    )

    creator: Mapped["Subject | None"] = relationship(
        primaryjoin="foreign(MlRepo.created_by_id) == Subject.id", viewonly=True
    )
    models: Mapped[list["Model"]] = relationship(
        primaryjoin="foreign(Model.ml_repo_id) == MlRepo.id",
        order_by="(Model.name.nulls_last(), Model.id)",
        back_populates="ml_repo",
        viewonly=True,
    )

    __table_args__ = ({"comment": "ML repos of the control plane: each holds models and has its own permissions."},)


class Subject(Base):
    """A user, team or account, as in the newest stored record that names it."""

    __tablename__ = "subjects"

    id: Mapped[Id] = mapped_column(primary_key=True, comment="The source's subjectId.")
    type: Mapped[str | None] = mapped_column(
        comment="user, team, serviceaccount, virtualaccount or another type of the source; NULL if the source "
        "does not say.",
    )
    slug: Mapped[str | None] = mapped_column(
        comment="Short name, often the e-mail address; NULL if the source does not say."
    )
    display_name: Mapped[str | None] = mapped_column(comment="Name for display; NULL if the source does not say.")
    pat_name: Mapped[str | None] = mapped_column(
        comment="Name of the personal access token used; NULL if none was used."
    )
    extra: Mapped[dict[str, Any] | None] = mapped_column(
        comment="Fields that have no column, as JSON; NULL if there are none."
    )

    __table_args__ = ({"comment": "Creators of ML repos, models and versions: people, teams and accounts."},)


class Model(SyncedMixin, Base):
    """A named model: the parent of its versions."""

    __tablename__ = "models"

    id: Mapped[Id] = mapped_column(primary_key=True, comment="The source's id.")
    ml_repo_id: Mapped[Id | None] = mapped_column(
        info=soft_reference("ml_repos.id"), comment="ml_repos.id of its ML repo; NULL if the source does not say."
    )
    name: Mapped[str | None] = mapped_column(comment="Name within its ML repo; NULL if the source does not say.")
    fqn: Mapped[str | None] = mapped_column(
        comment="model:{tenant}/{ml_repo}/{model}; NULL if the source does not say."
    )
    type: Mapped[str | None] = mapped_column(comment="Type of artifact: model; NULL if the source does not say.")
    created_by_id: Mapped[Id | None] = mapped_column(
        info=soft_reference("subjects.id"), comment="subjects.id of its creator; NULL if the source does not say."
    )
    created_at: Mapped[datetime | None] = mapped_column(
        comment="When it was created, UTC; NULL if the source does not say."
    )
    updated_at: Mapped[datetime | None] = mapped_column(
        comment="Last change according to the source, UTC; some changes do not update it. NULL if the source "
        "does not say.",
    )
    latest_version_id: Mapped[Id | None] = mapped_column(
        info=soft_reference("model_versions.id"),
        comment="model_versions.id of the latest version, according to the source; NULL for a model without versions.",
    )

    ml_repo: Mapped[MlRepo | None] = relationship(
        primaryjoin="foreign(Model.ml_repo_id) == MlRepo.id", back_populates="models", viewonly=True
    )
    creator: Mapped[Subject | None] = relationship(
        primaryjoin="foreign(Model.created_by_id) == Subject.id", viewonly=True
    )
    # Versions without a number come first, so that the last one is the newest numbered version.
    versions: Mapped[list["ModelVersion"]] = relationship(
        primaryjoin="foreign(ModelVersion.model_id) == Model.id",
        order_by="(ModelVersion.version.nulls_first(), ModelVersion.id)",
        back_populates="model",
        viewonly=True,
    )
    latest_version: Mapped["ModelVersion | None"] = relationship(
        primaryjoin="foreign(Model.latest_version_id) == ModelVersion.id", viewonly=True
    )
    run_steps: Mapped[list["ModelRunStep"]] = relationship(
        order_by="ModelRunStep.position", back_populates="model", viewonly=True
    )

    __table_args__ = (
        Index(None, "ml_repo_id"),
        Index(None, "updated_at"),
        Index(None, "deleted_at", info=partial_index("deleted_at IS NOT NULL")),
        {"comment": "Models of the registry, deleted ones included: see deleted_at."},
    )


class ModelVersion(SyncedMixin, Base):
    """A version of a model, with the fields of its manifest as columns."""

    __tablename__ = "model_versions"

    id: Mapped[Id] = mapped_column(primary_key=True, comment="The source's id.")
    model_id: Mapped[Id] = mapped_column(info=soft_reference("models.id"), comment="models.id of its model.")
    ml_repo_id: Mapped[Id | None] = mapped_column(
        info=soft_reference("ml_repos.id"), comment="ml_repos.id of its ML repo; NULL if the source does not say."
    )
    fqn: Mapped[str | None] = mapped_column(
        comment="model:{tenant}/{ml_repo}/{model}:{version}; NULL if the source does not say."
    )
    version: Mapped[int | None] = mapped_column(
        comment="Version number: from the manifest, else from the end of the fqn; NULL if neither has one."
    )
    version_alias: Mapped[str | None] = mapped_column(comment="Readable alias such as v1-prod; NULL if it has none.")
    description: Mapped[str | None] = mapped_column(comment="Free-text description; NULL if there is none.")
    source_type: Mapped[str | None] = mapped_column(
        comment="truefoundry, external, local or another type of the source; NULL if the manifest does not say."
    )
    source_uri: Mapped[str | None] = mapped_column(comment="Location of its files; NULL if the manifest does not say.")
    framework_type: Mapped[str | None] = mapped_column(
        comment="transformers, sklearn, xgboost or another type of the source; NULL if the manifest names none."
    )
    library_name: Mapped[str | None] = mapped_column(comment="Library of a transformers model; NULL for others.")
    pipeline_tag: Mapped[str | None] = mapped_column(comment="Task of a transformers model; NULL for others.")
    base_model: Mapped[str | None] = mapped_column(
        comment="Base model of a transformers model; NULL if the manifest names none."
    )
    python_version: Mapped[str | None] = mapped_column(
        comment="Python of its environment; NULL if the manifest does not say."
    )
    step: Mapped[int | None] = mapped_column(
        comment="Training step at which it was logged; NULL if the manifest does not say."
    )
    run_id: Mapped[Id | None] = mapped_column(
        comment="Id of the training run that logged it, not a sync_runs.id; NULL if the manifest does not say."
    )
    deployable: Mapped[bool | None] = mapped_column(
        comment="Whether the control plane can deploy it; NULL if the source does not say."
    )
    artifact_size_bytes: Mapped[int | None] = mapped_column(
        comment="Size of its files in bytes; NULL if the source does not say."
    )
    usage_code_snippet: Mapped[str | None] = mapped_column(
        comment="Example code for using it, from the control plane; NULL if there is none."
    )
    created_by_id: Mapped[Id | None] = mapped_column(
        info=soft_reference("subjects.id"), comment="subjects.id of its creator; NULL if the source does not say."
    )
    created_at: Mapped[datetime | None] = mapped_column(
        comment="When it was created, UTC; NULL if the source does not say."
    )
    updated_at: Mapped[datetime | None] = mapped_column(
        comment="Last change according to the source, UTC; some changes do not update it. NULL if the source "
        "does not say.",
    )
    # The declarative base uses the name `metadata`.
    metadata_: Mapped[Any | None] = mapped_column(
        name="metadata", type_=RegistryJson(), comment="Free metadata of the manifest, as JSON; NULL if there is none."
    )
    manifest: Mapped[Any | None] = mapped_column(
        type_=RegistryJson(), comment="The whole manifest, as JSON; NULL if the record has none."
    )
    superseded_at: Mapped[datetime | None] = mapped_column(
        comment=(
            "Start of the run that found a later version, UTC, where the source lists only latest versions: the row "
            "keeps its last known state. NULL while the row is kept up to date."
        )
    )

    model: Mapped[Model | None] = relationship(
        primaryjoin="foreign(ModelVersion.model_id) == Model.id", back_populates="versions", viewonly=True
    )
    creator: Mapped[Subject | None] = relationship(
        primaryjoin="foreign(ModelVersion.created_by_id) == Subject.id", viewonly=True
    )
    tags: Mapped[list["ModelVersionTag"]] = relationship(
        order_by="ModelVersionTag.position", back_populates="model_version", viewonly=True
    )
    metrics: Mapped[list["ModelVersionMetric"]] = relationship(
        order_by="ModelVersionMetric.position", back_populates="model_version", viewonly=True
    )
    packages: Mapped[list["ModelVersionPackage"]] = relationship(
        order_by="ModelVersionPackage.position", back_populates="model_version", viewonly=True
    )

    __table_args__ = (
        Index(None, "model_id", "id"),
        Index(None, "ml_repo_id"),
        Index(None, "updated_at"),
        Index(None, "deleted_at", info=partial_index("deleted_at IS NOT NULL")),
        Index(None, "superseded_at", info=partial_index("superseded_at IS NOT NULL")),
        {"comment": "Versions of the models, deleted ones included: see deleted_at."},
    )
