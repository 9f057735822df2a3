"""Subjects: the user, team or machine that made something, embedded in every record."""

from etl.records.fields import leftover, take_identity, take_text, without_nulls
from etl.records.tables import Json, Record, Rows, SubjectRow

_FIELD = "created_by_subject"


def take_creator(left: Record) -> tuple[str | None, list[SubjectRow]]:
    """Take the creator out of a record, as its id and its row; one without an id stays."""
    subject = left.get(_FIELD)
    rest = dict(subject) if isinstance(subject, dict) else {}
    subject_id = take_identity(rest, "subjectId")
    if subject_id is None:
        return None, []
    del left[_FIELD]
    row = SubjectRow(
        id=subject_id,
        type=take_text(rest, "subjectType"),
        slug=take_text(rest, "subjectSlug"),
        display_name=take_text(rest, "subjectDisplayName"),
        pat_name=take_text(rest, "subjectPatName"),
        extra=leftover(rest),
    )
    return subject_id, [row]


def creator(created_by_id: str | None, rows: Rows) -> Json:
    """The creator as the source gave it, None if its row is not there."""
    found = (SubjectRow._make(row) for row in rows.get("subjects", ()) if row[0] == created_by_id)
    row = next(found, None)
    if row is None:
        return None
    subject = {
        "subjectId": row.id,
        "subjectType": row.type,
        "subjectSlug": row.slug,
        "subjectDisplayName": row.display_name,
        "subjectPatName": row.pat_name,
    }
    return without_nulls(subject) | (row.extra or {})
