"""The registry's tables: ML repos, subjects, models, versions and what hangs on them.

Ids are the source's own. There is no foreign key between repos, models and versions: the source may list a
version whose model it does not list, and both must be kept; `refers_to` tells what joins what all the same. Rows
of a version or model that are lists at the source (`tags`, `metrics`, packages, run steps) hang on it by key and
position.

The relationships are for reading, hence `viewonly=True`: only the sync writes these tables, by Core statements.
A relationship ignores `deleted_at`: it also gives rows that are soft-deleted. One to a single row is None where the
id is NULL, and where no row has that id.

A relationship loads when it is first read (`lazy="select"`), which suits a single row. A query over many rows names
what it needs: `selectinload` for lists, `joinedload` for single rows, `raiseload("*")` to refuse anything else.
No column is deferred by default. `select(ModelVersion)` then gives whole rows, to pandas as well, and no loop that
reads `manifest` runs a statement for each row. Where the large columns are not needed (`manifest`, `metadata`,
`extra`, `usage_code_snippet`), `load_only` names those that are. docs/orm.md has examples.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, relationship

from etl.models.base import Base, one_of, refers_to, said
from etl.models.types import RegistryJson


class Mirrored:
    """What `ml_repos`, `models` and `model_versions` carry beside the source's fields."""

    extra: Mapped[dict[str, Any] | None] = said(
        "Fields of the record that have no exact column, as JSON; NULL if there are none.", sort_order=90
    )
    content_hash: Mapped[str] = said(
        "Hash of the record's content in canonical form: it changes only with the content.", sort_order=91
    )
    first_seen_at: Mapped[datetime] = said("Start of the run that first stored the record, UTC.", sort_order=92)
    last_changed_at: Mapped[datetime] = said(
        "Start of the last run that found the record new, changed, deleted or restored, UTC.", sort_order=93
    )
    deleted_at: Mapped[datetime | None] = said(
        "Start of the run that found it missing at the source, UTC; NULL while the source has it.", sort_order=94
    )


class MlRepo(Mirrored, Base):
    """A repository of models, with its own permissions."""

    __tablename__ = "ml_repos"

    id: Mapped[str] = said("The source's id, a number as text.", primary_key=True)
    tenant_name: Mapped[str | None] = said("Tenant that owns the repo; NULL if the source does not say.")
    name: Mapped[str | None] = said("Name within the tenant; NULL if the source does not say.")
    description: Mapped[str | None] = said("Free-text description; NULL if there is none.")
    storage_integration_fqn: Mapped[str | None] = said(
        "Blob storage of its artifacts; NULL if the source does not say."
    )
    created_by_id: Mapped[str | None] = said(
        "subjects.id of its creator; NULL if the source does not say.", info=refers_to("subjects.id")
    )
    created_at: Mapped[datetime | None] = said("When it was created, UTC; NULL if the source does not say.")
    is_derived: Mapped[bool] = said(
        "True if the source does not list it: id, name and tenant are then those that its models name."
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

    __table_args__ = (
        Index(None, "deleted_at"),
        {"comment": "ML repos of the control plane: each holds models and has its own permissions."},
    )


class Subject(Base):
    """A user, team or account, as the newest stored record that names it shows it."""

    __tablename__ = "subjects"

    id: Mapped[str] = said("The source's subjectId.", primary_key=True)
    type: Mapped[str | None] = said(
        "user, team, serviceaccount, virtualaccount or another type of the source; NULL if the source does not say."
    )
    slug: Mapped[str | None] = said("Short name, often the e-mail address; NULL if the source does not say.")
    display_name: Mapped[str | None] = said("Name for display; NULL if the source does not say.")
    pat_name: Mapped[str | None] = said("Name of the personal access token used; NULL if none was used.")
    extra: Mapped[dict[str, Any] | None] = said("Fields that have no column, as JSON; NULL if there are none.")

    __table_args__ = ({"comment": "Creators of ML repos, models and versions: people, teams and accounts."},)


class Model(Mirrored, Base):
    """A named model: the parent of its versions."""

    __tablename__ = "models"

    id: Mapped[str] = said("The source's id.", primary_key=True)
    ml_repo_id: Mapped[str | None] = said(
        "ml_repos.id of its ML repo; NULL if the source does not say.", info=refers_to("ml_repos.id")
    )
    name: Mapped[str | None] = said("Name within its ML repo; NULL if the source does not say.")
    fqn: Mapped[str | None] = said("model:{tenant}/{ml_repo}/{model}; NULL if the source does not say.")
    type: Mapped[str | None] = said("Type of artifact: model; NULL if the source does not say.")
    created_by_id: Mapped[str | None] = said(
        "subjects.id of its creator; NULL if the source does not say.", info=refers_to("subjects.id")
    )
    created_at: Mapped[datetime | None] = said("When it was created, UTC; NULL if the source does not say.")
    updated_at: Mapped[datetime | None] = said(
        "Last change according to the source, UTC; some changes do not update it. NULL if the source does not say."
    )
    latest_version_id: Mapped[str | None] = said(
        "model_versions.id of the latest version, according to the source; NULL for a model without versions.",
        info=refers_to("model_versions.id"),
    )

    ml_repo: Mapped[MlRepo | None] = relationship(
        primaryjoin="foreign(Model.ml_repo_id) == MlRepo.id", back_populates="models", viewonly=True
    )
    creator: Mapped[Subject | None] = relationship(
        primaryjoin="foreign(Model.created_by_id) == Subject.id", viewonly=True
    )
    # A version without a number is first, so that the last one is always the newest numbered one.
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
        Index(None, "deleted_at"),
        {"comment": "Models of the registry, deleted ones included: see deleted_at."},
    )


class ModelVersion(Mirrored, Base):
    """One version of a model, its manifest read out into columns."""

    __tablename__ = "model_versions"

    id: Mapped[str] = said("The source's id.", primary_key=True)
    model_id: Mapped[str] = said("models.id of its model.", info=refers_to("models.id"))
    ml_repo_id: Mapped[str | None] = said(
        "ml_repos.id of its ML repo; NULL if the source does not say.", info=refers_to("ml_repos.id")
    )
    fqn: Mapped[str | None] = said("model:{tenant}/{ml_repo}/{model}:{version}; NULL if the source does not say.")
    version: Mapped[int | None] = said(
        "Version number: from the manifest, else from the end of the fqn; NULL if neither has one."
    )
    version_alias: Mapped[str | None] = said("Readable alias such as v1-prod; NULL if it has none.")
    description: Mapped[str | None] = said("Free-text description; NULL if there is none.")
    source_type: Mapped[str | None] = said(
        "truefoundry, external, local or another type of the source; NULL if the manifest does not say."
    )
    source_uri: Mapped[str | None] = said("Location of its files; NULL if the manifest does not say.")
    framework_type: Mapped[str | None] = said(
        "transformers, sklearn, xgboost or another type of the source; NULL if the manifest names none."
    )
    library_name: Mapped[str | None] = said("Library of a transformers model; NULL for others.")
    pipeline_tag: Mapped[str | None] = said("Task of a transformers model; NULL for others.")
    base_model: Mapped[str | None] = said("Base model of a transformers model; NULL if the manifest names none.")
    python_version: Mapped[str | None] = said("Python of its environment; NULL if the manifest does not say.")
    step: Mapped[int | None] = said("Training step at which it was logged; NULL if the manifest does not say.")
    run_id: Mapped[str | None] = said(
        "Id of the training run that logged it, not a sync_runs.id; NULL if the manifest does not say."
    )
    deployable: Mapped[bool | None] = said("Whether the control plane can deploy it; NULL if the source does not say.")
    artifact_size_bytes: Mapped[int | None] = said("Size of its files in bytes; NULL if the source does not say.")
    usage_code_snippet: Mapped[str | None] = said(
        "Example code for using it, from the control plane; NULL if there is none."
    )
    created_by_id: Mapped[str | None] = said(
        "subjects.id of its creator; NULL if the source does not say.", info=refers_to("subjects.id")
    )
    created_at: Mapped[datetime | None] = said("When it was created, UTC; NULL if the source does not say.")
    updated_at: Mapped[datetime | None] = said(
        "Last change according to the source, UTC; some changes do not update it. NULL if the source does not say."
    )
    # `metadata` is taken by the declarative base.
    metadata_: Mapped[Any | None] = said(
        "Free metadata of the manifest, as JSON; NULL if there is none.", name="metadata", type_=RegistryJson()
    )
    manifest: Mapped[Any | None] = said(
        "The whole manifest, as JSON; NULL if the record has none.", type_=RegistryJson()
    )
    superseded_at: Mapped[datetime | None] = said(
        "Start of the run that found a later version, UTC, where the source lists only latest versions: the row keeps "
        "its last known state. NULL while the row is kept up to date."
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
        Index(None, "model_id"),
        Index(None, "ml_repo_id"),
        Index(None, "framework_type"),
        Index(None, "updated_at"),
        Index(None, "deleted_at"),
        Index(None, "superseded_at"),
        {"comment": "Versions of the models, deleted ones included: see deleted_at."},
    )


class OfVersion:
    """A row of a list that a version carries."""

    model_version_id: Mapped[str] = said(
        "model_versions.id of its version.",
        ForeignKey("model_versions.id", ondelete="CASCADE"),
        primary_key=True,
        sort_order=-2,
    )
    position: Mapped[int] = said(
        "Position in the source's list, from 0.", BigInteger, primary_key=True, autoincrement=False, sort_order=-1
    )


class ModelVersionTag(OfVersion, Base):
    """A distinct tag of a version."""

    __tablename__ = "model_version_tags"

    tag: Mapped[str] = said("The tag, in its original case.")

    model_version: Mapped[ModelVersion] = relationship(back_populates="tags", viewonly=True)

    __table_args__ = (
        Index(None, "tag"),
        {"comment": "Current tags of the versions: one row for each tag of a version."},
    )


class ModelVersionMetric(OfVersion, Base):
    """One logged value; the same key may come with several steps."""

    __tablename__ = "model_version_metrics"

    key: Mapped[str] = said("Name of the metric; a version can have several rows for it, one for each step.")
    value: Mapped[float | None] = said("The value as logged; NULL if it was null, not finite or not a number.")
    value_special: Mapped[str | None] = said(
        "NaN, Infinity or -Infinity if that was the value; otherwise NULL.",
        info=one_of("NaN", "Infinity", "-Infinity"),
    )
    step: Mapped[int | None] = said("Training step of the value; NULL if it has none.")
    timestamp_ms: Mapped[int | None] = said(
        "When it was logged, in milliseconds since 1970, as the source has it; NULL if the source does not say."
    )
    logged_at: Mapped[datetime | None] = said(
        "When it was logged, UTC; NULL if the source does not say, or outside the years 1 to 9999."
    )

    model_version: Mapped[ModelVersion] = relationship(back_populates="metrics", viewonly=True)

    __table_args__ = (Index(None, "key"), {"comment": "Metrics logged for the versions: one row for each value."})


class ModelVersionPackage(OfVersion, Base):
    """A pip requirement of a version's environment."""

    __tablename__ = "model_version_packages"

    requirement: Mapped[str] = said("The requirement as written, such as scikit-learn==1.4.2.")
    name: Mapped[str | None] = said("Normalised name of the package; NULL if the requirement does not parse.")
    specifier: Mapped[str | None] = said(
        "Version specifier, such as ==1.4.2, empty for any version; NULL if the requirement does not parse."
    )

    model_version: Mapped[ModelVersion] = relationship(back_populates="packages", viewonly=True)

    __table_args__ = (Index(None, "name"), {"comment": "Python packages that the versions require."})


class ModelRunStep(Base):
    """A run step of a model."""

    __tablename__ = "model_run_steps"

    model_id: Mapped[str] = said(
        "models.id of the model.", ForeignKey("models.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = said(
        "Position in the source's list, from 0.", BigInteger, primary_key=True, autoincrement=False
    )
    step: Mapped[int | None] = said("The training step; never NULL as tfy-etl writes it.")

    model: Mapped[Model] = relationship(back_populates="run_steps", viewonly=True)

    __table_args__ = ({"comment": "Run steps of the models: the training steps at which runs logged them."},)
