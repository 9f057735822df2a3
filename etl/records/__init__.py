"""Turn JSON records into rows, without loss. Pure: no database, no HTTP, no clock.

`identify` identifies and hashes a record. `to_rows` turns it into rows of the tables. `changes` compares two states of
its rows.

`rows`       The shape of the rows: one class for each table.
`fields`     Read fields into columns; `extra` keeps the rest.
`times`      Parse and write times.
`canonical`  One text and one hash for the same content.
`identify`   Identity and hashes of a record.
`transform`  Choose the functions of an entity's module.
`ml_repos`, `models`, `versions`  The records of each entity.
`metrics`, `packages`, `subjects`  Parts of records with tables of their own.
`diff`       Compare rows, field by field.
"""

from etl.records.diff import FieldChange, changes
from etl.records.fields import InvalidRecord, identity
from etl.records.identify import IdentifiedRecord, identify, identify_derived
from etl.records.ml_repos import derived_ml_repo
from etl.records.models import embedded_version
from etl.records.rows import (
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
from etl.records.transform import to_rows

__all__ = [
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
    "to_rows",
]
