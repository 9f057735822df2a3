"""The wording of changes: one sentence for each, with names instead of ids. Pure: no SQL, no clock, no output.

`named_change`  A change, with the names that its sentence needs.
`sentences`     The sentence of a change, and one line for each changed record.
`as_json`       A change as an object for programs.
`fields`        The words for each field, and the fields that sentences leave out.
"""

from etl.changes.as_json import as_json
from etl.changes.fields import BOOKKEEPING
from etl.changes.named_change import WHOLE, NamedChange, PlannedChanges
from etl.changes.sentences import NOTHING_RECORDED, name, record_lines, record_names, sentence

__all__ = [
    "BOOKKEEPING",
    "NOTHING_RECORDED",
    "WHOLE",
    "NamedChange",
    "PlannedChanges",
    "as_json",
    "name",
    "record_lines",
    "record_names",
    "sentence",
]
