"""What there is to write down."""

from dataclasses import dataclass

import etl
from etl.models import describe
from etl.models.describe import RelationDescription
from etl.store import schema


@dataclass(frozen=True)
class SchemaDescription:
    """Every table and view, as the newest revision of this release has them."""

    release: str
    revision: str
    tables: tuple[RelationDescription, ...]
    views: tuple[RelationDescription, ...]


def describe_schema() -> SchemaDescription:
    """What the mappings and the migrations of this release say."""
    return SchemaDescription(etl.__version__, schema.head(), tuple(describe.tables()), tuple(describe.views()))
