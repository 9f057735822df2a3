"""Which family builds, and rebuilds, the records of an entity."""

from collections.abc import Callable

from etl.records.ml_repos import ml_repo_rows, rebuilt_ml_repo
from etl.records.models import model_rows, rebuilt_model
from etl.records.sighting import Sighting
from etl.records.tables import Entity, Record, Rows
from etl.records.versions import rebuilt_version, version_rows

_ROWS: dict[Entity, Callable[[Sighting], Rows]] = {
    "ml_repos": lambda sighting: ml_repo_rows(sighting.record, sighting.content_hash, is_derived=sighting.is_derived),
    "models": lambda sighting: model_rows(sighting.record, sighting.content_hash),
    "model_versions": lambda sighting: version_rows(sighting.record, sighting.content_hash, sighting.metrics),
}
_REBUILT: dict[Entity, Callable[[Rows], Record]] = {
    "ml_repos": rebuilt_ml_repo,
    "models": rebuilt_model,
    "model_versions": rebuilt_version,
}


def rows(sighting: Sighting) -> Rows:
    """The rows of a record, by table."""
    return _ROWS[sighting.entity](sighting)


def rebuild(entity: Entity, rows: Rows, latest_version: Rows | None = None) -> Record:
    """The record that the rows came from, without null fields.

    A model embeds its latest version: give the rows of that too, else only its id stands there.
    """
    record = _REBUILT[entity](rows)
    if latest_version is not None:
        record["latest_version"] = rebuilt_version(latest_version)
    return record
