import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.enums import Entity
from etl.records import Rows, changes, identify, to_rows
from tests.support.record_builders import Record, a_manifest, a_metric, a_model, a_subject, a_version, an_ml_repo

METRICS = st.lists(
    st.builds(
        a_metric,
        key=st.sampled_from(["loss", "f1"]),
        value=st.sampled_from([0.5, 1, None, math.nan]),
        step=st.sampled_from([None, 1]),
    ),
    max_size=6,
)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"name": "churn"}, {"name": "churn2"}, [("name", "churn", "churn2")]),
        ({"ml_repo_id": None}, {"ml_repo_id": "13"}, [("ml_repo_id", None, "13")]),
        (
            {"updated_at": "2024-05-01T10:00:00Z"},
            {"updated_at": "2024-05-01T10:00:00.0000001Z"},
            [("extra.updated_at", None, "2024-05-01T10:00:00.0000001Z")],
        ),
        (
            {"updated_at": "2024-05-01T10:00:00Z"},
            {"updated_at": "2024-05-01T12:00:00.0000001Z"},
            [("updated_at", "2024-05-01T10:00:00.000000Z", "2024-05-01T12:00:00.000000Z")],
        ),
        ({"run_steps": [1]}, {"run_steps": [1, 2]}, [("run_steps", "[1]", "[1,2]")]),
        ({"run_steps": [1]}, {"run_steps": []}, [("run_steps", "[1]", None)]),
        ({"created_by_subject": a_subject()}, {"created_by_subject": None}, [("created_by_id", "user-1", None)]),
        (
            {"created_by_subject": a_subject(subjectPatName="laptop")},
            {"created_by_subject": a_subject(subjectPatName="desk", subjectSlug="ada")},
            [("extra.created_by_subject.subjectPatName", "laptop", "desk")],
        ),
        ({}, {"latest_version": a_version(id="v-4")}, [("latest_version_id", "v-3", "v-4")]),
    ],
)
def test_changed_model_yields_its_changes(old: Record, new: Record, expected: list[tuple[Any, ...]]) -> None:
    assert _changed(Entity.MODELS, a_model(**old), a_model(**new)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"deployable": True}, {"deployable": False}, [("deployable", "true", "false")]),
        ({"usage_code_snippet": "a"}, {"usage_code_snippet": "b"}, []),
        ({"usage_code_snippet": "a"}, {"usage_code_snippet": ["b"]}, []),
        ({"region": "eu"}, {"region": {"name": "eu"}}, [
            ("extra.region.name", None, "eu"), ("extra.region", "eu", None),
        ]),
        ({"version_alias": "x"}, {"version_alias": "y"}, [("extra.version_alias", "x", "y")]),
        ({"tags": ["b", "a"]}, {"tags": ["a", "c"]}, [("tags", "b", None), ("tags", None, "c")]),
    ],
)  # fmt: skip
def test_changed_version_yields_its_changes(old: Record, new: Record, expected: list[tuple[Any, ...]]) -> None:
    assert _changed(Entity.MODEL_VERSIONS, a_version(**old), a_version(**new)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"metadata": {"accuracy": 0.95, "classes": ["a", 1.0]}}, [
            ("metadata..truefoundry.artifact_size", "1024", None),
            ("metadata.accuracy", "0.93", "0.95"),
            ("metadata.classes", None, '["a",1]'),
        ]),
        ({"metadata": None}, [
            ("metadata..truefoundry.artifact_size", "1024", None), ("metadata.accuracy", "0.93", None),
        ]),
        ({"version": 4}, [("version", "3", "4")]),
        ({"version": None}, [("manifest.version", "3", None)]),
        ({"source": {"type": "external", "uri": "s3://b", "key": "k"}}, [
            ("source_type", "truefoundry", "external"),
            ("source_uri", "mlfoundry-artifacts:/acme/churn", "s3://b"),
            ("manifest.source.key", None, "k"),
        ]),
        ({"environment": {"python_version": "3.11", "pip_packages": ["scikit-learn==1.5", "torch"]}}, [
            ("packages.scikit-learn", "Scikit_Learn>=1.4,<2", "scikit-learn==1.5"),
            ("packages.numpy", "numpy", None),
            ("packages.torch", None, "torch"),
        ]),
        ({"environment": {"python_version": "3.11", "pip_packages": ["numpy", "Scikit_Learn>=1.4,<2"]}}, [
            ("manifest.environment.pip_packages",
             '["Scikit_Learn>=1.4,<2","numpy"]', '["numpy","Scikit_Learn>=1.4,<2"]'),
        ]),
        ({"name": "churn2"}, [("manifest.name", "churn", "churn2")]),
    ],
)  # fmt: skip
def test_manifest_change_held_by_a_column_is_reported_once(change: Record, expected: list[tuple[Any, ...]]) -> None:
    old, new = a_version(), a_version(manifest=a_manifest(**change))
    found = _changed(Entity.MODEL_VERSIONS, old, new)
    # The artifact's size is a column read from the metadata, so it changes with the metadata.
    assert [each for each in found if each[0] != "artifact_size_bytes"] == expected


def test_key_with_dots_is_not_treated_as_a_path() -> None:
    old, new = (a_version(manifest=a_manifest(metadata=metadata)) for metadata in ({"a.b": 1}, {"a": {"b": 1}}))
    assert _changed(Entity.MODEL_VERSIONS, old, new) == [("metadata.a.b", None, "1"), ("metadata.a.b", "1", None)]


def test_metric_changes_are_paired_by_key_step_and_time() -> None:
    old = [a_metric(), a_metric(step=2, value=0.2), a_metric(key="f1", value=None)]
    new = [a_metric(value=math.nan), a_metric(step=3, value=0.2), a_metric(key="f1", value=1)]
    assert _changed(Entity.MODEL_VERSIONS, a_version(metrics=old), a_version(metrics=new)) == [
        ("metrics.loss", "0.25", "NaN"),
        ("metrics.loss", "0.2", None),
        ("metrics.f1", "null", "1"),
        ("metrics.loss", None, "0.2"),
    ]


@given(METRICS, METRICS)
def test_metric_changes_applied_to_the_old_values_give_the_new_values(old: list[Record], new: list[Record]) -> None:
    before, after = (
        _rows(Entity.MODEL_VERSIONS, a_version(metrics=old)),
        _rows(Entity.MODEL_VERSIONS, a_version(metrics=new)),
    )
    values = _values(before)
    for each in changes(Entity.MODEL_VERSIONS, "v-3", before, after):
        if each.field and each.field.startswith("metrics."):
            if each.old_value is not None:
                values.remove((each.field, each.old_value))
            if each.new_value is not None:
                values.append((each.field, each.new_value))
    assert sorted(values) == sorted(_values(after))


def test_ml_repo_field_without_a_column_is_reported_by_its_path() -> None:
    manifest = {"name": "churn", "collaborators": []}
    assert _changed(Entity.ML_REPOS, an_ml_repo(manifest=manifest), an_ml_repo(manifest=manifest, num_runs=8)) == [
        ("extra.num_runs", "7", "8")
    ]


def test_change_names_its_entity_id_and_kind() -> None:
    old, new = _rows(Entity.MODEL_VERSIONS, a_version(tags=["a"])), _rows(Entity.MODEL_VERSIONS, a_version(tags=["b"]))
    assert changes(Entity.MODEL_VERSIONS, "v-3", old, new) == [
        ("model_versions", "v-3", "tag_removed", "tags", "a", None),
        ("model_versions", "v-3", "tag_added", "tags", None, "b"),
    ]
    assert changes(Entity.MODEL_VERSIONS, "v-3", None, new) == [("model_versions", "v-3", "created", None, None, None)]


def _rows(entity: Entity, record: Record) -> Rows:
    return to_rows(identify(entity, record))


def _changed(entity: Entity, old: Record, new: Record) -> list[tuple[Any, ...]]:
    return [each[3:] for each in changes(entity, "1", _rows(entity, old), _rows(entity, new))]


def _values(version: Rows) -> list[tuple[str, str]]:
    """Field and text of each metric row."""
    return [
        (f"metrics.{key}", special or {None: "null", 0.5: "0.5", 1.0: "1"}[value])
        for _, _, key, value, special, *_ in version["model_version_metrics"]
    ]
