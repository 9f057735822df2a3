"""The schema of this release: tables, views and revision."""

from dataclasses import dataclass

import etl
from etl.models import describe
from etl.models.describe import RelationDescription
from etl.store import schema


@dataclass(frozen=True)
class SchemaDescription:
    """All tables and views at the newest revision of this release."""

    release: str
    revision: str
    tables: tuple[RelationDescription, ...]
    views: tuple[RelationDescription, ...]


def describe_schema() -> SchemaDescription:
    """Describe the schema, from the mappings and the migrations."""
    return SchemaDescription(etl.__version__, schema.head(), tuple(describe.tables()), tuple(describe.views()))
