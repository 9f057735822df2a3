"""The wording of changes: one sentence for each, with names instead of ids. Pure: no SQL, no clock, no output.

`named_change`  A change, with the names that its sentence needs.
`sentences`     The sentence of a change, and one line for each changed record.
`net`           What a series of changes comes to.
`as_json`       A change as an object for programs.
`fields`        The words for each field, and the fields that sentences leave out.
"""

from etl.changes.as_json import as_json
from etl.changes.fields import BOOKKEEPING, EMPTY_JSON, ID_FIELDS_SHOWN_BY_NAME, column_words, is_left_out
from etl.changes.named_change import RECORD_KINDS, NamedChange, PlannedChanges
from etl.changes.net import net_changes
from etl.changes.sentences import NOTHING_RECORDED, deleted_record_names, difference, name, record_lines, sentence

__all__ = [
    "BOOKKEEPING",
    "EMPTY_JSON",
    "ID_FIELDS_SHOWN_BY_NAME",
    "NOTHING_RECORDED",
    "RECORD_KINDS",
    "NamedChange",
    "PlannedChanges",
    "as_json",
    "column_words",
    "deleted_record_names",
    "difference",
    "is_left_out",
    "name",
    "net_changes",
    "record_lines",
    "sentence",
]
