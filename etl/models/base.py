"""The one declarative base: naming convention, which column type an annotation means, what a column says of itself."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Double, MetaData
from sqlalchemy.orm import DeclarativeBase, mapped_column

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


def said(comment: str, *types: Any, **kwargs: Any) -> Any:
    """A column with the sentence that analysts see: in their database tool, in the data dictionary, in dbt."""
    return mapped_column(*types, comment=comment, **kwargs)


def refers_to(column: str) -> dict[str, Any]:
    """`info` of a column that holds values of another, `table.column`, where no foreign key can hold it to that."""
    return {"refers_to": column}


def one_of(*values: str) -> dict[str, Any]:
    """`info` of a column that holds only these, or NULL."""
    return {"values": values}
