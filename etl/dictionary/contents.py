"""What there is to write down."""

from dataclasses import dataclass

import etl
from etl.models import described
from etl.models.described import Described
from etl.store import schema


@dataclass(frozen=True)
class Contents:
    """Every table and view, as the newest revision of this release has them."""

    release: str
    revision: str
    tables: tuple[Described, ...]
    views: tuple[Described, ...]


def contents() -> Contents:
    """What the mappings and the migrations of this release say."""
    return Contents(etl.__version__, schema.head(), tuple(described.tables()), tuple(described.views()))
