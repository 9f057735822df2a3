"""The one declarative base: naming convention, and which column type an annotation means."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Double, MetaData
from sqlalchemy.orm import DeclarativeBase

from etl.models.types import RegistryJson, RegistryText, UtcDateTime


class Base(DeclarativeBase):
    """Constraint names are fixed from the first migration on, so that later ones can name them."""

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
        int: BigInteger,
        float: Double,
        datetime: UtcDateTime,
        dict[str, Any]: RegistryJson,
    }
