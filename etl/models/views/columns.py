"""The MetaData of the views, and columns with a comment."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Column, Double, MetaData

from etl.models.types import RegistryText, UtcDateTime

# A separate MetaData, because Alembic compares Base.metadata with the tables.
metadata = MetaData()

IS_EXACT_COMMENT = "False if it was there at first sight, or if the change was pruned: it may have begun long before."
NOT_BEFORE_COMMENT = (
    "It began after this time, UTC: the latest of the creation of the version, its first sight, its earlier changes, "
    "and the last earlier run that compared every version. NULL if none is known."
)
FOUND_AT_COMMENT = (
    "Start of the first run known to have found it{0}, UTC. It began after not_before, and before that run ended "
    "(sync_runs.finished_at)."
)


def text(name: str, comment: str) -> Column[str]:
    """A text."""
    return Column(name, RegistryText, comment=comment)


def integer(name: str, comment: str) -> Column[int]:
    """A 64-bit integer."""
    return Column(name, BigInteger, comment=comment)


def real(name: str, comment: str) -> Column[float]:
    """A double."""
    return Column(name, Double, comment=comment)


def flag(name: str, comment: str) -> Column[bool]:
    """A boolean."""
    return Column(name, Boolean, comment=comment)


def moment(name: str, comment: str) -> Column[datetime]:
    """A time, UTC."""
    return Column(name, UtcDateTime, comment=comment)
