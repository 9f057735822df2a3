"""The wording of changes: one sentence for each, with names instead of ids. Pure: no SQL, no clock, no output.

`named_change`  A change, with the names that its sentence needs.
`sentences`     The sentence of a change, and one line for each changed record.
`fields`        The words for each field, and the fields that sentences leave out.
"""

from etl.changes.fields import BOOKKEEPING
from etl.changes.named_change import WHOLE, NamedChange, PlannedChanges
from etl.changes.sentences import NOTHING_RECORDED, name, record_lines, sentence

__all__ = [
    "BOOKKEEPING",
    "NOTHING_RECORDED",
    "WHOLE",
    "NamedChange",
    "PlannedChanges",
    "name",
    "record_lines",
    "sentence",
]
