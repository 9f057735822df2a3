"""Convert records to rows and back, with the functions of each entity."""

from collections.abc import Callable

from etl.records.identify import IdentifiedRecord
from etl.records.ml_repos import ml_repo_rows, rebuild_ml_repo
from etl.records.models import model_rows, rebuild_model
from etl.records.rows import Entity, Record, Rows
from etl.records.versions import rebuild_version, version_rows

_ROWS: dict[Entity, Callable[[IdentifiedRecord], Rows]] = {
    "ml_repos": lambda identified: ml_repo_rows(
        identified.record, identified.content_hash, is_derived=identified.is_derived
    ),
    "models": lambda identified: model_rows(identified.record, identified.content_hash),
    "model_versions": lambda identified: version_rows(identified.record, identified.content_hash, identified.metrics),
}
_REBUILT: dict[Entity, Callable[[Rows], Record]] = {
    "ml_repos": rebuild_ml_repo,
    "models": rebuild_model,
    "model_versions": rebuild_version,
}


def to_rows(identified: IdentifiedRecord) -> Rows:
    """The rows of a record, by table."""
    return _ROWS[identified.entity](identified)


def rebuild(entity: Entity, rows: Rows, latest_version: Rows | None = None) -> Record:
    """The record that the rows were made from, without null fields.

    A model embeds its latest version: pass that version's rows, too, or the record holds only its id.
    """
    record = _REBUILT[entity](rows)
    if latest_version is not None:
        record["latest_version"] = rebuild_version(latest_version)
    return record
