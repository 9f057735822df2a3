"""The declarative base: constraint names, the column type of each annotation, and the `info` of columns."""

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, Double, MetaData
from sqlalchemy.orm import DeclarativeBase

from etl.models.types import RegistryId, RegistryJson, RegistryText, UtcDateTime

Id = Annotated[str, "an id"]
"""The type of columns with ids, which sort by code point."""

VERSION_TABLE = "tfy_etl_version"
"""The table of Alembic. Not Alembic's default name: a shared database may also hold migrations of other projects."""


class Base(DeclarativeBase):
    """The base of all mappings; constraints have fixed names, so that later migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 SQLAlchemy reads a plain attribute
        str: RegistryText,
        Id: RegistryId,
        int: BigInteger,
        float: Double,
        datetime: UtcDateTime,
        dict[str, Any]: RegistryJson,
    }


def soft_reference(column: str) -> dict[str, Any]:
    """Return `info` for a column that refers to `table.column` without a foreign key."""
    return {"refers_to": column}


def partial_index(where: str) -> dict[str, Any]:
    """Return `info` for an index of the rows that match a condition.

    The migrations create it so. The arguments of SQLAlchemy for it would import the module of each database.
    """
    return {"where": where}


def allowed_values(*values: str) -> dict[str, Any]:
    """Return `info` for a column that holds only these values, or NULL."""
    return {"values": values}
