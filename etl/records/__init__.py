"""Records: JSON in, rows out. Pure: no database, no HTTP, no clock.

`sight` identifies and hashes a record, `rows` splits it over the tables of the contract, `rebuild` puts it
together again, and `changes` tells what moved between two states of its rows.

    tables      the shape of the rows                canonical   one text, one hash for the same content
    fields      what a column takes, what is extra   times       instants, read and written
    sighting    identity, hashes                     families    which family handles which entity
    ml_repos, models, versions, metrics, packages, subjects      the families themselves
    history     what moved, field by field
"""

from etl.records.families import rebuild, rows
from etl.records.fields import Unreadable, identity
from etl.records.history import Change, changes
from etl.records.ml_repos import derived_ml_repo
from etl.records.models import embedded_version
from etl.records.sighting import Sighting, sight, sight_derived
from etl.records.tables import (
    Entity,
    MetricRow,
    MlRepoRow,
    ModelRow,
    ModelRunStepRow,
    ModelVersionRow,
    PackageRow,
    Record,
    Rows,
    SubjectRow,
    TagRow,
)

__all__ = [
    "Change",
    "Entity",
    "MetricRow",
    "MlRepoRow",
    "ModelRow",
    "ModelRunStepRow",
    "ModelVersionRow",
    "PackageRow",
    "Record",
    "Rows",
    "Sighting",
    "SubjectRow",
    "TagRow",
    "Unreadable",
    "changes",
    "derived_ml_repo",
    "embedded_version",
    "identity",
    "rebuild",
    "rows",
    "sight",
    "sight_derived",
]
