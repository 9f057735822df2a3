"""A record becomes rows, the rows what a database keeps, and that the record again: nothing may be lost."""

from typing import Any

from sqlalchemy.dialects import sqlite

from etl.enums import Entity
from etl.models.types import RegistryJson, escape, unescape
from etl.records import InvalidRecord, Rows, changes, embedded_version, identify, to_rows
from etl.source.completeness.id_set import key_of
from tests.support.rebuild_records import rebuild
from tests.support.reference_decoder import decode
from tests.support.sync_env import ROWS

_JSON_COLUMNS = {"metadata", "manifest", "extra"}
_JSON, _DIALECT = RegistryJson(), sqlite.dialect()
_ENCODE = _JSON.encoder(_DIALECT)


def proven_rows(entity: Entity, raw: Any) -> Rows | None:
    """Return the rows of a record, from which it was rebuilt; None if it is refused. Fails if anything is lost."""
    key_of(raw)
    try:
        identified = identify(entity, raw)
    except InvalidRecord as refusal:
        if not refusal.reason.isprintable():
            raise
        return None
    made = to_rows(identified)
    kept = _kept(made)
    assert changes(entity, "1", made, kept) == []
    latest = embedded_version(raw) if entity is Entity.MODELS else None
    try:
        rebuilt = rebuild(entity, kept, latest and _kept(to_rows(identify(Entity.MODEL_VERSIONS, latest))))
    except InvalidRecord:  # a model can be kept without its latest version
        return made
    assert decode(rebuilt) == decode(raw), f"{raw!r} came back as {rebuilt!r}"
    assert identify(entity, rebuilt).content_hash == identified.content_hash
    return made


def _kept(made: Rows) -> Rows:
    """Return the rows as they come back from a database."""
    return {table: [_kept_row(ROWS[table], row) for row in of_table] for table, of_table in made.items()}


def _kept_row(kind: type[Any], row: tuple[Any, ...]) -> Any:
    return kind._make(_column(name, value) for name, value in zip(kind._fields, row, strict=True))


def _column(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _JSON_COLUMNS:
        (text,) = _ENCODE([value])
        assert "\\u0000" not in text.replace("\\\\", "")
        text.encode()
        return _JSON.process_result_value(text, _DIALECT)
    if isinstance(value, str):
        assert "\0" not in escape(value)
        escape(value).encode()
        return unescape(escape(value))
    return value
