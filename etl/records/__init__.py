"""Records: JSON in, rows out. Pure: no database, no HTTP, no clock.

`sight` identifies and hashes a record, `rows` splits it over the tables of the contract, `rebuild` puts it
together again, and `changes` tells what moved between two states of its rows.

    tables      the shape of the rows                canonical   one text, one hash for the same content
    fields      what a column takes, what is extra   times       instants, read and written
    sighting    identity, hashes                     families    which family handles which entity
    ml_repos, models, versions, metrics, packages, subjects      the families themselves
    history     what moved, field by field
"""

from etl.records.diff import FieldChange, changes
from etl.records.fields import InvalidRecord, identity
from etl.records.identify import IdentifiedRecord, identify, identify_derived
from etl.records.ml_repos import derived_ml_repo
from etl.records.models import embedded_version
from etl.records.rows import (
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
from etl.records.transform import rebuild, to_rows

__all__ = [
    "Entity",
    "FieldChange",
    "IdentifiedRecord",
    "InvalidRecord",
    "MetricRow",
    "MlRepoRow",
    "ModelRow",
    "ModelRunStepRow",
    "ModelVersionRow",
    "PackageRow",
    "Record",
    "Rows",
    "SubjectRow",
    "TagRow",
    "changes",
    "derived_ml_repo",
    "embedded_version",
    "identify",
    "identify_derived",
    "identity",
    "rebuild",
    "to_rows",
]
