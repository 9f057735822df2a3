"""Hypothesis strategies for any record that a control plane might send, mostly with valid fields.

Every value is encoded and decoded by the standard library's JSON, as a client receives it.
"""

import json
from typing import Any

from hypothesis import strategies as st

from etl.enums import Entity

Record = dict[str, Any]

ENTITIES = tuple(Entity)

TEXTS = st.text(st.characters(), max_size=12)  # includes NUL and lone surrogates
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400])
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(TEXTS, deeper, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXTS, ANY_JSON, max_size=3)

_PLAUSIBLE_TIMES = st.builds(
    lambda at, gap, fraction, zone: at.strftime(f"%Y-%m-%d{gap}%H:%M:%S").zfill(19) + fraction + zone,
    st.datetimes(),
    st.sampled_from("T "),
    st.just("") | st.from_regex(r"\.[0-9]{1,9}", fullmatch=True),
    st.sampled_from(["", "Z", "+00:00", "+05:30", "-0800"]),
)
_INVALID_TIMES = st.sampled_from(
    [
        "",
        "yesterday",
        "2024-05-01",
        "2024-02-30T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "2024-05-01T25:00:00",
    ]
)
TIMES = _PLAUSIBLE_TIMES | _INVALID_TIMES
IDS = st.text(st.characters(), min_size=1, max_size=8) | st.integers() | st.integers().map(float)
COUNTS = st.integers(0, 20) | st.integers(0, 20).map(float)
_TAG = st.sampled_from(["prod", "Prod", "champion"]) | TEXTS
TAGS = st.lists(_TAG, max_size=4) | st.lists(_TAG, max_size=4, unique=True)


def _mostly(valid: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(valid, valid, valid, valid, ANY_JSON)


def _record(known: dict[str, st.SearchStrategy[Any]], **required: st.SearchStrategy[Any]) -> Any:
    """An object with the required fields, and any of the known and unknown ones."""
    optional = {key: _mostly(values) for key, values in known.items() if key not in required}
    return st.builds(
        lambda unknown, fields: unknown | fields, OBJECTS, st.fixed_dictionaries(required, optional=optional)
    )


SUBJECTS = _record(
    {
        "subjectId": IDS,
        "subjectType": TEXTS,
        "subjectSlug": TEXTS,
        "subjectDisplayName": TEXTS,
        "subjectPatName": TEXTS,
        "subjectControllerName": TEXTS,
    }
)
_METRIC = {
    "key": st.sampled_from(["loss", "f1"]) | TEXTS,
    "value": st.none() | st.floats() | st.integers(-(2**53), 2**53),
    "timestamp": st.none() | st.integers(0, 2**42),
    "step": st.none() | COUNTS,
}
METRICS = st.lists(st.fixed_dictionaries(_METRIC), max_size=4) | st.lists(_mostly(_record(_METRIC)), max_size=4)
REQUIREMENTS = st.sampled_from(["numpy", "Torch_Vision >= 0.15, <1", "a @ https://example.com/a.whl", "not one!"])
MANIFESTS = _record(
    {
        "name": TEXTS,
        "version": COUNTS,
        "metadata": OBJECTS,
        "description": TEXTS,
        "version_alias": TEXTS,
        "source": _record({"type": TEXTS, "uri": TEXTS, "file_or_folder": TEXTS}),
        "framework": _record({"type": TEXTS, "library_name": TEXTS, "base_model": TEXTS}),
        "environment": _record({"python_version": TEXTS, "pip_packages": st.lists(_mostly(REQUIREMENTS))}),
        "step": COUNTS,
        "run_id": IDS,
    }
)
_FQNS = TEXTS | st.from_regex(r"model:t/r/m:[0-9]{1,25}", fullmatch=True)
_VERSION = {
    "fqn": _FQNS,
    "model_id": IDS,
    "ml_repo_id": IDS,
    "created_by_subject": SUBJECTS,
    "created_at": TIMES,
    "updated_at": TIMES,
    "manifest": MANIFESTS,
    "usage_code_snippet": TEXTS,
    "tags": TAGS,
    "metrics": METRICS,
    "deployable": st.booleans(),
    "version_alias": TEXTS,
}
_MODEL = {
    "ml_repo_id": IDS,
    "name": TEXTS,
    "fqn": TEXTS,
    "type": TEXTS,
    "created_by_subject": SUBJECTS,
    "created_at": TIMES,
    "updated_at": TIMES,
    "latest_version": st.one_of(
        _record(_VERSION, id=IDS, model_id=IDS, fqn=_FQNS),
        _record(_VERSION, id=IDS, model_id=IDS),
        _record(_VERSION, id=IDS),
    ),
    "run_steps": st.lists(COUNTS, max_size=4) | st.lists(_mostly(COUNTS), max_size=4),
}
_ML_REPO = {
    "tenant_name": TEXTS,
    "manifest": _record({"name": TEXTS, "description": TEXTS, "storage_integration_fqn": TEXTS}),
    "created_by_subject": SUBJECTS,
    "created_at": TIMES,
    "account_id": TEXTS,
    "num_runs": COUNTS,
}


def _received(value: Any) -> Any:
    return json.loads(json.dumps(value))


VERSIONS = _record(_VERSION, id=IDS, model_id=IDS, fqn=_FQNS).map(_received)
MODELS = _record(_MODEL, id=IDS, name=TEXTS).map(_received)
ML_REPOS = _record(_ML_REPO, id=IDS, tenant_name=TEXTS).map(_received)

READABLE: st.SearchStrategy[tuple[Entity, Record]] = st.one_of(
    *(st.tuples(st.just(entity), records) for entity, records in zip(Entity, (ML_REPOS, MODELS, VERSIONS), strict=True))
)
ANYTHING: st.SearchStrategy[tuple[Entity, Any]] = st.tuples(
    st.sampled_from(ENTITIES),
    st.one_of(ANY_JSON, _record(_ML_REPO), _record(_MODEL), _record(_VERSION), _record({"id": IDS})).map(_received),
)
