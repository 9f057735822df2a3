"""The registry's tables: ML repos, subjects, models, versions and what hangs on them.

Ids are the source's own. There is no foreign key between repos, models and versions: the source may list a
version whose model it does not list, and both must be kept. Rows of a version or model that are lists at the
source (`tags`, `metrics`, packages, run steps) hang on it by key and position.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from etl.models.base import Base
from etl.models.types import RegistryJson


def _said(comment: str, **kwargs: Any) -> Any:
    """A column with the sentence that analysts see in their database tool."""
    return mapped_column(comment=comment, **kwargs)


class Mirrored:
    """What `ml_repos`, `models` and `model_versions` carry beside the source's fields."""

    extra: Mapped[dict[str, Any] | None] = _said("Fields of the record that have no column, as JSON.", sort_order=90)
    content_hash: Mapped[str] = _said("Hash of the record's content, in canonical form.", sort_order=91)
    first_seen_at: Mapped[datetime] = _said("When a run first stored this record.", sort_order=92)
    last_changed_at: Mapped[datetime] = _said("When a run last found it changed, deleted or restored.", sort_order=93)
    deleted_at: Mapped[datetime | None] = _said(
        "When a run found it gone; NULL while the source has it.", sort_order=94
    )


class MlRepo(Mirrored, Base):
    """A repository of models, with its own permissions."""

    __tablename__ = "ml_repos"

    id: Mapped[str] = _said("The source's id, a number as text.", primary_key=True)
    tenant_name: Mapped[str | None] = _said("Tenant that owns the repo.")
    name: Mapped[str | None] = _said("Name within the tenant.")
    description: Mapped[str | None] = _said("What its owner wrote about it.")
    storage_integration_fqn: Mapped[str | None] = _said("Blob storage that holds its artifacts.")
    created_by_id: Mapped[str | None] = _said("subjects.id of who created it.")
    created_at: Mapped[datetime | None] = _said("When it was created, UTC.")

    __table_args__ = (Index(None, "deleted_at"), {"comment": "ML repos of the control plane."})


class Subject(Base):
    """A user, team or account, as the newest stored record that names it shows it."""

    __tablename__ = "subjects"

    id: Mapped[str] = _said("The source's subjectId.", primary_key=True)
    type: Mapped[str | None] = _said("user, team, serviceaccount, virtualaccount, …; unknown types as they came.")
    slug: Mapped[str | None] = _said("Often the e-mail address.")
    display_name: Mapped[str | None] = _said("Name to show to people.")
    pat_name: Mapped[str | None] = _said("Name of the personal access token used.")
    extra: Mapped[dict[str, Any] | None] = _said("Fields that have no column, as JSON.")

    __table_args__ = ({"comment": "Who created repos, models and versions."},)


class Model(Mirrored, Base):
    """A named model: the parent of its versions."""

    __tablename__ = "models"

    id: Mapped[str] = _said("The source's id.", primary_key=True)
    ml_repo_id: Mapped[str | None] = _said("ml_repos.id of its repo.")
    name: Mapped[str | None] = _said("Name within its repo.")
    fqn: Mapped[str | None] = _said("model:{tenant}/{ml_repo}/{model}")
    type: Mapped[str | None] = _said("Kind of artifact: model.")
    created_by_id: Mapped[str | None] = _said("subjects.id of who created it.")
    created_at: Mapped[datetime | None] = _said("When it was created, UTC.")
    updated_at: Mapped[datetime | None] = _said("When the source says it last changed, UTC: a hint.")
    latest_version_id: Mapped[str | None] = _said("model_versions.id that the source calls the latest; NULL if empty.")

    run_steps: Mapped[list["ModelRunStep"]] = relationship(order_by="ModelRunStep.position", viewonly=True)
    versions: Mapped[list["ModelVersion"]] = relationship(
        primaryjoin="foreign(ModelVersion.model_id) == Model.id", viewonly=True
    )

    __table_args__ = (
        Index(None, "ml_repo_id"),
        Index(None, "updated_at"),
        Index(None, "deleted_at"),
        {"comment": "Models of the registry."},
    )


class ModelVersion(Mirrored, Base):
    """One version of a model, its manifest read out into columns."""

    __tablename__ = "model_versions"

    id: Mapped[str] = _said("The source's id.", primary_key=True)
    model_id: Mapped[str] = _said("models.id of its model.")
    ml_repo_id: Mapped[str | None] = _said("ml_repos.id of its repo.")
    fqn: Mapped[str | None] = _said("model:{tenant}/{ml_repo}/{model}:{version}")
    version: Mapped[int | None] = _said("Number: the manifest's, else the end of the fqn.")
    version_alias: Mapped[str | None] = _said("Readable alias such as v1-prod.")
    description: Mapped[str | None] = _said("What its author wrote about it.")
    source_type: Mapped[str | None] = _said("truefoundry, external, local; unknown types as they came.")
    source_uri: Mapped[str | None] = _said("Where the files are.")
    framework_type: Mapped[str | None] = _said("transformers, sklearn, xgboost, …; unknown types as they came.")
    library_name: Mapped[str | None] = _said("Library of a transformers model.")
    pipeline_tag: Mapped[str | None] = _said("Task of a transformers model.")
    base_model: Mapped[str | None] = _said("Model that it was made from.")
    python_version: Mapped[str | None] = _said("Python of its environment.")
    step: Mapped[int | None] = _said("Training step at which it was logged.")
    run_id: Mapped[str | None] = _said("Run that logged it.")
    deployable: Mapped[bool | None] = _said("Whether the control plane can deploy it.")
    artifact_size_bytes: Mapped[int | None] = _said("Size of its files, in bytes.")
    usage_code_snippet: Mapped[str | None] = _said("Code that the control plane shows for using it.")
    created_by_id: Mapped[str | None] = _said("subjects.id of who created it.")
    created_at: Mapped[datetime | None] = _said("When it was created, UTC.")
    updated_at: Mapped[datetime | None] = _said("When the source says it last changed, UTC: a hint.")
    # `metadata` is taken by the declarative base.
    metadata_: Mapped[Any | None] = _said(
        "Free metadata of the manifest, as JSON.", name="metadata", type_=RegistryJson()
    )
    manifest: Mapped[Any | None] = _said("The whole manifest, as JSON.", type_=RegistryJson())

    tags: Mapped[list["ModelVersionTag"]] = relationship(order_by="ModelVersionTag.position", viewonly=True)
    metrics: Mapped[list["ModelVersionMetric"]] = relationship(order_by="ModelVersionMetric.position", viewonly=True)
    packages: Mapped[list["ModelVersionPackage"]] = relationship(order_by="ModelVersionPackage.position", viewonly=True)

    __table_args__ = (
        Index(None, "model_id"),
        Index(None, "ml_repo_id"),
        Index(None, "framework_type"),
        Index(None, "updated_at"),
        Index(None, "deleted_at"),
        {"comment": "Versions of the models."},
    )


class OfVersion:
    """A row of a list that a version carries."""

    model_version_id: Mapped[str] = mapped_column(
        ForeignKey("model_versions.id", ondelete="CASCADE"),
        primary_key=True,
        comment="model_versions.id",
        sort_order=-2,
    )
    position: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="Place in the source's list, from 0.",
        sort_order=-1,
    )


class ModelVersionTag(OfVersion, Base):
    """A distinct tag of a version."""

    __tablename__ = "model_version_tags"

    tag: Mapped[str] = _said("The tag, case kept.")

    __table_args__ = (Index(None, "tag"), {"comment": "Tags of the versions, each once."})


class ModelVersionMetric(OfVersion, Base):
    """One logged value; the same key may come with several steps."""

    __tablename__ = "model_version_metrics"

    key: Mapped[str] = _said("Name of the metric.")
    value: Mapped[float | None] = _said("The value; NULL where it was null or not finite.")
    value_special: Mapped[str | None] = _said("NaN, Infinity or -Infinity where the value was that.")
    step: Mapped[int | None] = _said("Training step of the value.")
    timestamp_ms: Mapped[int | None] = _said("When it was logged, milliseconds since 1970, as the source has it.")
    logged_at: Mapped[datetime | None] = _said("The same moment, UTC.")

    __table_args__ = (Index(None, "key"), {"comment": "Metrics logged for the versions."})


class ModelVersionPackage(OfVersion, Base):
    """A pip requirement of a version's environment."""

    __tablename__ = "model_version_packages"

    requirement: Mapped[str] = _said("The requirement as written.")
    name: Mapped[str | None] = _said("Normalised name of the package; NULL if the requirement does not parse.")
    specifier: Mapped[str | None] = _said("Version specifier, such as ==1.4.2.")

    __table_args__ = (Index(None, "name"), {"comment": "Python packages that the versions ask for."})


class ModelRunStep(Base):
    """A run step of a model."""

    __tablename__ = "model_run_steps"

    model_id: Mapped[str] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), primary_key=True, comment="models.id"
    )
    position: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="Place in the source's list, from 0."
    )
    step: Mapped[int | None] = _said("The step.")

    __table_args__ = ({"comment": "Run steps of the models."},)
