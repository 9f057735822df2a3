"""Convert a record to rows with the function of its entity."""

from collections.abc import Callable

from etl.enums import Entity
from etl.records.identify import IdentifiedRecord
from etl.records.ml_repos import ml_repo_rows
from etl.records.models import model_rows
from etl.records.rows import Rows
from etl.records.versions import version_rows

_ROWS: dict[Entity, Callable[[IdentifiedRecord], Rows]] = {
    Entity.ML_REPOS: lambda identified: ml_repo_rows(
        identified.record, identified.content_hash, is_derived=identified.is_derived
    ),
    Entity.MODELS: lambda identified: model_rows(identified.record, identified.content_hash, identified.latest_version),
    Entity.MODEL_VERSIONS: lambda identified: version_rows(
        identified.record, identified.content_hash, identified.metrics
    ),
}


def to_rows(identified: IdentifiedRecord) -> Rows:
    """The rows of a record, by table."""
    return _ROWS[identified.entity](identified)
