"""Tables of the lists that versions and models carry: tags, metrics, packages, run steps.

A row belongs to its version or model by key and position.
"""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from etl.models.base import Base, Id, allowed_values
from etl.models.registry import Model, ModelVersion


class VersionChildMixin:
    """A row of a list of a version."""

    model_version_id: Mapped[Id] = mapped_column(
        ForeignKey("model_versions.id", ondelete="CASCADE"),
        primary_key=True,
        sort_order=-2,
        comment="model_versions.id of its version.",
    )
    position: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        autoincrement=False,
        sort_order=-1,
        comment="Position in the source's list, from 0.",
    )


class ModelVersionTag(VersionChildMixin, Base):
    """A distinct tag of a version."""

    __tablename__ = "model_version_tags"

    tag: Mapped[str] = mapped_column(comment="The tag, in its original case.")

    model_version: Mapped[ModelVersion] = relationship(back_populates="tags", viewonly=True)

    __table_args__ = (
        Index(None, "tag"),
        {"comment": "Tags of the versions, deleted ones included: one row for each tag of a version."},
    )


class ModelVersionMetric(VersionChildMixin, Base):
    """A logged value; a key may have values at several steps."""

    __tablename__ = "model_version_metrics"

    key: Mapped[str] = mapped_column(
        comment="Name of the metric; a version can have several rows for it, one for each step."
    )
    value: Mapped[float | None] = mapped_column(
        comment="The value as logged; NULL if it was null, not finite or not a number."
    )
    value_special: Mapped[str | None] = mapped_column(
        info=allowed_values("NaN", "Infinity", "-Infinity"),
        comment="NaN, Infinity or -Infinity if that was the value; otherwise NULL.",
    )
    step: Mapped[int | None] = mapped_column(comment="Training step of the value; NULL if it has none.")
    timestamp_ms: Mapped[int | None] = mapped_column(
        comment="When it was logged, in milliseconds since 1970, as the source has it; NULL if the source does not say."
    )
    logged_at: Mapped[datetime | None] = mapped_column(
        comment="When it was logged, UTC; NULL if the source does not say, or outside the years 1 to 9999."
    )

    model_version: Mapped[ModelVersion] = relationship(back_populates="metrics", viewonly=True)

    __table_args__ = (Index(None, "key"), {"comment": "Metrics logged for the versions: one row for each value."})


class ModelVersionPackage(VersionChildMixin, Base):
    """A pip requirement of a version's environment."""

    __tablename__ = "model_version_packages"

    requirement: Mapped[str] = mapped_column(comment="The requirement as written, such as scikit-learn==1.4.2.")
    name: Mapped[str | None] = mapped_column(
        comment="Normalised name of the package; NULL if the requirement does not parse."
    )
    specifier: Mapped[str | None] = mapped_column(
        comment="Version specifier, such as ==1.4.2, empty for any version; NULL if the requirement does not parse."
    )
    pinned_version: Mapped[str | None] = mapped_column(
        comment="The version that == names, such as 1.4.2; NULL if the requirement allows several."
    )

    model_version: Mapped[ModelVersion] = relationship(back_populates="packages", viewonly=True)

    __table_args__ = (Index(None, "name"), {"comment": "Python packages that the versions require."})


class ModelRunStep(Base):
    """A run step of a model."""

    __tablename__ = "model_run_steps"

    model_id: Mapped[Id] = mapped_column(
        ForeignKey("models.id", ondelete="CASCADE"), primary_key=True, comment="models.id of the model."
    )
    position: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="Position in the source's list, from 0."
    )
    step: Mapped[int | None] = mapped_column(comment="The training step; never NULL as tfy-etl writes it.")

    model: Mapped[Model] = relationship(back_populates="run_steps", viewonly=True)

    __table_args__ = ({"comment": "Run steps of the models: the training steps at which runs logged them."},)
