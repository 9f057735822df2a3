"""Builds records from a source of choices: each field as the API has it, or anything else."""

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from etl.enums import Entity

Record = dict[str, Any]
_NUMBERS = (0, -0.0, 5.0, 2**53 + 1, 2**63, 1e16, 1e23, 10**400, float("nan"), float("-inf"))
_TIMES = (
    "2024-05-01T10:00:00.123Z",
    "2024-05-01 10:00:00.1234567+05:30",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:60Z",
)


class Source(Protocol):
    """What a FuzzedDataProvider of atheris offers, which makes choices from the bytes that libFuzzer tries."""

    def ConsumeBool(self) -> bool: ...  # noqa: N802 the names are of atheris
    def ConsumeFloat(self) -> float: ...  # noqa: N802
    def ConsumeInt(self, size: int, /) -> int: ...  # noqa: N802
    def ConsumeIntInRange(self, least: int, most: int, /) -> int: ...  # noqa: N802
    def ConsumeUnicode(self, length: int, /) -> str: ...  # noqa: N802
    def PickValueInList(self, values: list[Any], /) -> Any: ...  # noqa: N802


class RandomSource:
    """Choices at random, for tests without atheris."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw

    def ConsumeBool(self) -> bool:  # noqa: N802
        return self._draw.random() < 0.5

    def ConsumeFloat(self) -> float:  # noqa: N802
        return self._draw.choice([self._draw.random(), self._draw.uniform(-1e300, 1e300), float("inf")])

    def ConsumeInt(self, size: int, /) -> int:  # noqa: N802
        least: int = -(2 ** (8 * size - 1))
        return self._draw.getrandbits(8 * size) + least

    def ConsumeIntInRange(self, least: int, most: int, /) -> int:  # noqa: N802
        return self._draw.randint(least, most)

    def ConsumeUnicode(self, length: int, /) -> str:  # noqa: N802
        most = self._draw.choice([0x7F, 0xFF, 0xFFFF, 0x10FFFF])
        return "".join(chr(self._draw.randint(0, most)) for _ in range(length))

    def PickValueInList(self, values: Sequence[Any], /) -> Any:  # noqa: N802
        return self._draw.choice(values)


Kind = Callable[[Source], Any]


def arbitrary_record(source: Source, entity: Entity) -> Record:
    """Return a record with some of the API's fields, each right or wrong."""
    return _object(source, FIELDS[entity])


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
    """Return an object with some of its fields, and now and then one that nobody knows."""
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
FIELDS: dict[Entity, dict[str, Kind]] = {
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
