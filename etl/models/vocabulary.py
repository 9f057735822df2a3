"""Tables of the words by which views judge: which labels mean production, and which metrics should be low.

The settings `production_tags`, `lower_is_better` and `higher_is_better` replace or extend the defaults.
"""

from sqlalchemy.orm import Mapped, mapped_column

from etl.models.base import Base, allowed_values


class ProductionWord(Base):
    """A word that marks a version as in production."""

    __tablename__ = "production_words"

    word: Mapped[str] = mapped_column(
        primary_key=True,
        comment="In lower case, with : instead of =. Matches the tag or alias itself, the value of env, environment or "
        "stage, and the end of an alias such as v3-prod.",
    )

    __table_args__ = ({"comment": "Words of tags and aliases that mark a version as in production."},)


class MetricWord(Base):
    """A word in the name of a metric that says whether more is better."""

    __tablename__ = "metric_words"

    word: Mapped[str] = mapped_column(
        primary_key=True,
        comment="In lower case, with _ between its parts. Matches metrics with these parts: loss matches val/loss.",
    )
    better: Mapped[str] = mapped_column(
        info=allowed_values("higher", "lower"), comment="Which values of such metrics are better: higher or lower."
    )

    __table_args__ = ({"comment": "Words in the names of metrics that say whether higher or lower values are better."},)


class MetricDirection(Base):
    """A metric, and whether more of it is better."""

    __tablename__ = "metric_directions"

    key: Mapped[str] = mapped_column(primary_key=True, comment="Name of the metric, in its original case.")
    better: Mapped[str | None] = mapped_column(
        info=allowed_values("higher", "lower"),
        comment="Which values are better, by the longest of metric_words in it: higher or lower; NULL if unknown.",
    )

    __table_args__ = ({"comment": "Every metric that was ever stored, and whether higher or lower values are better."},)
