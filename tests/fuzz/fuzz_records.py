"""Coverage-guided fuzzing of how records are read, by `make fuzz`: python -m tests.fuzz.fuzz_records CORPUS [OPTION …].

Bytes become what a control plane may send, as JSON text or as records with the API's own fields, each right or wrong;
the records become rows, the rows what a database keeps, and that the records again. A finding is any exception but
InvalidRecord, and any record that does not come back as it went.
"""

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import atheris
from sqlalchemy.dialects import sqlite

with atheris.instrument_imports(
    include=["etl.records", "etl.source.responses", "etl.source.completeness.id_set", "etl.models.types"]
):
    from etl.models.types import RegistryJson, escape, unescape
    from etl.records import InvalidRecord, Rows, changes, embedded_version, identify, to_rows
    from etl.source.completeness.id_set import key_of
    from etl.source.exceptions import MalformedResponse
from etl.enums import Entity
from etl.simulator import Registry
from etl.source.responses import Answer, parse_envelope
from tests.support.rebuild_records import rebuild
from tests.support.reference_decoder import said

Record = dict[str, Any]
Source = Any
"""A FuzzedDataProvider, which has no types."""
Kind = Callable[[Source], Any]

ENTITIES = tuple(Entity)
_JSON_COLUMNS = {"metadata", "manifest", "extra"}
_JSON, _DIALECT = RegistryJson(), sqlite.dialect()
_ENCODE = _JSON.encoder(_DIALECT)
_TIMES = (
    "2024-05-01T10:00:00.123Z",
    "2024-05-01 10:00:00.1234567+05:30",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:60Z",
)
_NUMBERS = (0, -0.0, 5.0, 2**53 + 1, 2**63, 1e16, 1e23, 10**400, float("nan"), float("-inf"))


def main() -> None:
    """Put the simulator's records into the corpus, and some to build from, and hand over to libFuzzer."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    registry = Registry.generate(seed=1, ml_repos=1, models=2, versions=2, metrics=2)
    for number, entity in enumerate(ENTITIES):
        for place, record in enumerate(registry.records(entity.replace("_", "-"))):
            (folder / f"{entity}-{place}").write_bytes(bytes([number]) + json.dumps(record).encode())
        (folder / f"{entity}-built").write_bytes(bytes([number + 129]) + bytes(range(256)) * 8)
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()


def fuzz(data: bytes) -> None:
    """One input: its first byte says of what entity it is, and whether it is text or what records are built from."""
    entity = ENTITIES[data[0] % 3] if data else ENTITIES[0]
    if data[:1] < b"\x80":
        try:
            content = parse_envelope(Answer("/", 200, {}, b'{"data": [%b]}' % data[1:]), list, "secret")["data"]
        except MalformedResponse:
            return
    else:
        source = atheris.FuzzedDataProvider(data[1:])
        content = [_object(source, _FIELDS[entity]), _object(source, _FIELDS[entity])]
    read = [made for made in (_read(entity, raw) for raw in content) if made is not None]
    for old, new in pairwise(read):
        changes(entity, "1", old, new)


def _read(entity: Entity, raw: Any) -> Rows | None:
    """The rows of a record, proven to be the record."""
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
    assert said(rebuilt) == said(raw), f"{raw!r} came back as {rebuilt!r}"
    assert identify(entity, rebuilt).content_hash == identified.content_hash
    return made


def _kept(made: Rows) -> Rows:
    """The rows as they come back from a database."""
    return {table: [_kept_row(row) for row in of_table] for table, of_table in made.items()}


def _kept_row(row: Any) -> Any:
    return row._replace(**{name: _column(name, value) for name, value in row._asdict().items()})


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


# What records are built from: each field as the API has it, or anything else.


def _anything(source: Source, depth: int = 3) -> Any:
    kinds = list(_LEAVES)
    if depth:
        kinds += [
            lambda source: [_anything(source, depth - 1) for _ in range(source.ConsumeIntInRange(0, 3))],
            lambda source: {_text(source): _anything(source, depth - 1) for _ in range(source.ConsumeIntInRange(0, 3))},
        ]
    return source.PickValueInList(kinds)(source)


def _text(source: Source) -> str:
    text: str = source.ConsumeUnicode(source.ConsumeIntInRange(0, 12))
    return text


_LEAVES: tuple[Kind, ...] = (
    lambda _: None,
    lambda source: source.ConsumeBool(),
    lambda source: source.ConsumeInt(9),
    lambda source: source.ConsumeFloat(),
    lambda source: source.PickValueInList(list(_NUMBERS)),
    _text,
)


def _time(source: Source) -> str:
    text: str = source.PickValueInList(list(_TIMES))
    return text[: source.ConsumeIntInRange(0, 40)] + _text(source)


def _count(source: Source) -> float:
    count: int = source.ConsumeInt(8)
    return float(count) if source.ConsumeBool() else count


def _flag(source: Source) -> bool:
    return bool(source.ConsumeBool())


def _list_of(kind: Kind) -> Kind:
    return lambda source: [_mostly(source, kind) for _ in range(source.ConsumeIntInRange(0, 4))]


def _object_of(fields: dict[str, Kind]) -> Kind:
    return lambda source: _object(source, fields)


def _mostly(source: Source, kind: Kind) -> Any:
    return _anything(source) if source.ConsumeIntInRange(0, 7) == 0 else kind(source)


def _object(source: Source, fields: dict[str, Kind]) -> Record:
    """An object with some of its fields, and now and then one that nobody knows."""
    built = {name: _mostly(source, kind) for name, kind in fields.items() if source.ConsumeIntInRange(0, 3)}
    return built | ({_text(source): _anything(source)} if source.ConsumeBool() else {})


_SUBJECT = _object_of(
    dict.fromkeys(("subjectId", "subjectType", "subjectSlug", "subjectDisplayName", "subjectPatName"), _text)
)
_COMMON = {"id": _text, "created_by_subject": _SUBJECT, "created_at": _time, "updated_at": _time}
_METRIC = _object_of({"key": _text, "value": _anything, "timestamp": _count, "step": _count})
_MANIFEST = _object_of({
    "name": _text,
    "version": _count,
    "metadata": _object_of({".truefoundry": _object_of({"artifact_size": _count}), "note": _anything}),
    "description": _text,
    "version_alias": _text,
    "source": _object_of(dict.fromkeys(("type", "uri", "file_or_folder"), _text)),
    "framework": _object_of(dict.fromkeys(("type", "library_name", "pipeline_tag", "base_model"), _text)),
    "environment": _object_of({"python_version": _text, "pip_packages": _list_of(_text)}),
    "step": _count,
    "run_id": _text,
})  # fmt: skip
_VERSION = _COMMON | {
    "fqn": _text,
    "model_id": _text,
    "ml_repo_id": _text,
    "manifest": _MANIFEST,
    "usage_code_snippet": _text,
    "tags": _list_of(_text),
    "metrics": _list_of(_METRIC),
    "deployable": _flag,
    "version_alias": _text,
}
_FIELDS: dict[Entity, dict[str, Kind]] = {
    Entity.ML_REPOS: _COMMON
    | {
        "tenant_name": _text,
        "manifest": _object_of(dict.fromkeys(("name", "description", "storage_integration_fqn"), _text)),
        "num_runs": _count,
    },
    Entity.MODELS: _COMMON
    | {
        "ml_repo_id": _text,
        "name": _text,
        "fqn": _text,
        "type": _text,
        "latest_version": _object_of(_VERSION),
        "run_steps": _list_of(_count),
    },
    Entity.MODEL_VERSIONS: _VERSION,
}


if __name__ == "__main__":
    main()
