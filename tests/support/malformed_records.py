"""Malformed records that a control plane might return, and whether they can be stored."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from hypothesis import strategies as st

from etl.enums import Entity
from tests.support.load_factor import LOAD_FACTOR
from tests.support.record_builders import a_manifest, a_metric, a_model, a_subject, a_version, an_ml_repo
from tests.support.record_strategies import ANY_JSON, TEXTS, Record
from tests.support.sync_env import SyncEnv

ODD = "NUL \x00, lone \ud800, escape \u241b0000, tab \t, astral \U0001f600"
_REPO, _MODEL, _VERSION = Entity
_BUILDERS: dict[Entity, Any] = {_REPO: an_ml_repo, _MODEL: a_model, _VERSION: a_version}


class BadRecord(NamedTuple):
    """A record to serve; `reason` is why it is rejected, None if it can be stored."""

    entity: Entity
    record: Any
    reason: str | None = None


def nested(levels: int) -> Any:
    """Return lists and objects, nested to this depth."""
    value: Any = "deep"
    for level in range(levels):
        value = {"in": value} if level % 2 else [value]
    return value


def wide(size: int) -> Record:
    """Return an object of about this many bytes of JSON."""
    return {f"parameter-{number}": ["text", number, number / 7, {"of": None}] for number in range(size // 65)}


# A name is the id of its record, unless the case is about the id.
KEPT = {
    "two models of one fqn": BadRecord(_MODEL, {"id": "first", "fqn": "model:a/b/c"}),
    "the other of one fqn": BadRecord(_MODEL, {"id": "second", "fqn": "model:a/b/c"}),
    "a latest version that is none": BadRecord(_MODEL, a_model(latest_version=["v-3"])),
    "a latest version of another model": BadRecord(_MODEL, a_model(latest_version=a_version(model_id="elsewhere"))),
    "a latest version that says little": BadRecord(_MODEL, a_model(latest_version={"id": "v-3", "model_id": "m-1"})),
    "a latest version too deep to be kept": BadRecord(_MODEL, a_model(latest_version=a_version(size=nested(201)))),
    "a model of odd types": BadRecord(_MODEL, a_model(name=["churn"], type=7, run_steps={"1": 2}, ml_repo_id=12.0)),
    "a model of run steps that are none": BadRecord(_MODEL, a_model(run_steps=[1, 2.0, "3", None, 2**63])),
    "an ML repo of another shape": BadRecord(_REPO, an_ml_repo(manifest=["churn"], tenant_name={"of": "acme"})),
    "an ML repo without a manifest": BadRecord(_REPO, {"tenant_name": ODD}),
    "a version whose model nobody lists": BadRecord(_VERSION, a_version(model_id="nobody")),
    "a version without a manifest": BadRecord(_VERSION, a_version(manifest=None)),
    "a version whose manifest is text": BadRecord(_VERSION, a_version(manifest=ODD)),
    "null lists": BadRecord(_VERSION, a_version(tags=None, metrics=None)),
    "lists of nulls": BadRecord(_VERSION, a_version(tags=[None], metrics=[None])),
    "the same tag twice": BadRecord(_VERSION, a_version(tags=["prod", "prod", "Prod", "", ODD])),
    "types that nobody knows": BadRecord(
        _VERSION,
        a_version(
            manifest=a_manifest(framework={"type": "abacus"}, source={"type": "pigeon", "uri": ODD}),
            created_by_subject=a_subject(subjectId="odd", subjectType="agent-of-an-agent"),
        ),
    ),
    "a subject that is a name": BadRecord(_VERSION, a_version(created_by_subject="ada")),
    "numbers that are no JSON": BadRecord(
        _VERSION,
        a_version(
            metrics=[a_metric(value=value) for value in (float("nan"), float("inf"), float("-inf"), 10**400, "0.5")],
            manifest=a_manifest(metadata=[float("nan"), float("-inf"), 1e23, 5e-324, -0.0]),
        ),
    ),
    "integers past any column": BadRecord(
        _VERSION,
        a_version(
            metrics=[a_metric(step=2**63, timestamp=2**62), a_metric(step=-(2**63), timestamp=10**400)],
            manifest=a_manifest(version=2**31, step=2**63, run_id=10**30, metadata={"n": 10**4000}),
        ),
    ),
    "times that are none": BadRecord(_VERSION, a_version(created_at="yesterday", updated_at=1714557600)),
    "a time without an offset": BadRecord(_VERSION, a_version(created_at="2024-05-01 10:00:00")),
    "a time far from UTC": BadRecord(_VERSION, a_version(created_at="2024-05-01T10:00:00.1234567+05:30")),
    "the first second and the last": BadRecord(
        _VERSION, a_version(created_at="0001-01-01T00:00:00Z", updated_at="9999-12-31T23:59:59.999999Z")
    ),
    "odd text everywhere": BadRecord(
        _VERSION,
        a_version(
            fqn=ODD, model_id=ODD, usage_code_snippet=ODD, metrics=[a_metric(key=ODD)], manifest=a_manifest(name=ODD)
        )
        | {ODD: {ODD: [ODD]}},
    ),
    "a description of 300 kB": BadRecord(_VERSION, a_version(manifest=a_manifest(description="é" * 150_000))),
    "tags and keys that no index holds": BadRecord(
        _VERSION, a_version(tags=["t" * 9000, "short"], metrics=[a_metric(key="k" * 9000)])
    ),
    "as deep as can be kept": BadRecord(_VERSION, a_version(size=nested(199))),
    "id of 500 letters": BadRecord(_VERSION, a_version(id="字" * 500)),
    "id as long as an index holds": BadRecord(_VERSION, a_version(id="v" * 2000)),
    "id that is a number": BadRecord(_VERSION, a_version(id=10**18, model_id=5.0)),
    "id of odd text": BadRecord(_MODEL, a_model(id=ODD, latest_version=None)),
}  # fmt: skip

_SIZE = min(LOAD_FACTOR, 10)
_NOON = "2024-05-01T12:00:00.000000Z"


def _large(**changes: Any) -> BadRecord:
    return BadRecord(_VERSION, a_version(created_at=_NOON, updated_at=_NOON, **changes))


LARGE = {
    "10,000 tags": _large(tags=[f"tag-{number}" for number in range(10_000)]),
    "10,000 metrics, or to scale 100,000": _large(
        metrics=[a_metric(value=step / 7, step=step) for step in range(10_000 * _SIZE)]
    ),
    "500 kB of metadata, or to scale 5 MB": _large(
        manifest=a_manifest(metadata=[wide(400_000 * _SIZE), [nested(190) for _ in range(100 * _SIZE)]])
    ),
}

_NO_ID = "it has no id"
_TOO_LONG = "longer than the 2000 bytes that every database can index"
REFUSED = {
    "null": BadRecord(_MODEL, None, "it is null, where an object with an id was expected"),
    "text": BadRecord(_VERSION, ODD, "it is text, where an object with an id was expected"),
    "a number": BadRecord(_REPO, float("nan"), "it is a number, where an object with an id was expected"),
    "a list": BadRecord(_MODEL, [a_model()], "it is a list, where an object with an id was expected"),
    "nothing": BadRecord(_MODEL, {}, _NO_ID),
    "no id": BadRecord(_REPO, an_ml_repo(id=None, name=ODD), _NO_ID),
    "an empty id": BadRecord(_MODEL, a_model(id=""), "its id is empty"),
    "an id that is a list": BadRecord(
        _MODEL, a_model(id=["m-1"]), "its id is a list, where text or a whole number was expected"
    ),
    "an id that is no whole number": BadRecord(
        _MODEL, a_model(id=float("inf")), "its id is inf, where text or a whole number was expected"
    ),
    "an id longer than an index holds": BadRecord(_VERSION, a_version(id="字" * 667), f"its id is {_TOO_LONG}"),
    "an id longer than that once escaped": BadRecord(_MODEL, a_model(id="\0" * 400), f"its id is {_TOO_LONG}"),
    "no model_id": BadRecord(_VERSION, a_version(model_id=None), "it has no model_id"),
    "a model_id longer than an index holds": BadRecord(
        _VERSION, a_version(model_id=10**4000), f"its model_id is {_TOO_LONG}"
    ),
    "a model_id that is an object": BadRecord(
        _VERSION,
        a_version(model_id={}),
        "its model_id is an object, where text or a whole number was expected",
    ),
    "an ML repo that is hardly an id": BadRecord(
        _REPO,
        an_ml_repo(tenant_name=None, manifest=None),
        "it has neither tenant_name nor manifest, and every record of its kind has at least one",
    ),
    "a model that is hardly an id": BadRecord(
        _MODEL, {"type": "model"}, "it has neither name nor fqn, and every record of its kind has at least one"
    ),
    "a version that is hardly an id": BadRecord(
        _VERSION,
        a_version(fqn=None, manifest=None),
        "it has neither fqn nor manifest, and every record of its kind has at least one",
    ),
    "metadata too deep to be kept": BadRecord(
        _VERSION,
        a_version(manifest=a_manifest(metadata=nested(199))),
        "its manifest nests lists and objects more than 200 levels deep",
    ),
    "nested 300 levels deep": BadRecord(
        _MODEL,
        a_model(**{"two\nlines": nested(300)}),
        "a field of it nests lists and objects more than 200 levels deep",
    ),
}


def served(name: str, case: BadRecord) -> Any:
    """Return the record with the name as its id, unless its id is part of the case."""
    record = case.record
    usual = [an_ml_repo()["id"], a_model()["id"], a_version()["id"]]
    if isinstance(record, dict) and case.reason != _NO_ID and record.get("id", usual[0]) in usual:
        return record | {"id": name}
    return record


def serve(env: SyncEnv, cases: Mapping[str, BadRecord]) -> None:
    """Add malformed records to the control plane."""
    for name, each in cases.items():
        env.registry.put_raw(each.entity.replace("_", "-"), name, served(name, each))


@st.composite
def mutated(draw: st.DrawFn) -> BadRecord:
    """Generate a valid record with up to three values replaced, removed or added."""
    entity = draw(st.sampled_from(list(_BUILDERS)))
    record = deepcopy(_BUILDERS[entity](id=f"{entity}-{draw(st.integers(0, 99))}"))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(record))
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "leave out", "add"])):
            case "replace":
                container[key] = draw(ANY_JSON)
            case "leave out":
                del container[key]
            case _ if isinstance(container, dict):
                container[draw(TEXTS)] = draw(ANY_JSON)
            case _:
                container.append(draw(ANY_JSON))
    return BadRecord(entity, json.loads(json.dumps(record)))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container in a value with each of its keys."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(item, dict | list):
            yield from _places(item)
