"""Subjects: the user, team or machine that created something, embedded in every record.

Records of one subject share its row. Details that vary between its records, such as the access token used, stay in the
`extra` of each record.
"""

from etl.records.fields import leftover, take_identity, take_text
from etl.records.rows import Record, SubjectRow

_FIELD = "created_by_subject"


def take_creator(left: Record) -> tuple[str | None, list[SubjectRow]]:
    """Take the creator out of a record, as its id and row; a creator without an id stays."""
    subject = left.get(_FIELD)
    rest = dict(subject) if isinstance(subject, dict) else {}
    subject_id = take_identity(rest, "subjectId")
    if subject_id is None:
        return None, []
    subject_type = take_text(rest, "subjectType")
    slug = take_text(rest, "subjectSlug")
    display_name = take_text(rest, "subjectDisplayName")
    left[_FIELD] = leftover(rest)
    pat_name = take_text(rest, "subjectPatName")
    return subject_id, [SubjectRow(subject_id, subject_type, slug, display_name, pat_name, leftover(rest))]
