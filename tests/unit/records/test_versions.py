from datetime import UTC, datetime
from typing import Any

import pytest

from etl.enums import Entity
from etl.records import ModelVersionRow, identify, to_rows
from tests.support.rebuild_records import rebuild
from tests.support.record_builders import Record, a_manifest, a_version


def test_version_becomes_its_row_and_child_rows() -> None:
    identified = identify(Entity.MODEL_VERSIONS, a_version())
    rows = to_rows(identified)
    assert rows["model_versions"] == [
        ModelVersionRow(
            id="v-3",
            model_id="m-1",
            ml_repo_id="12",
            fqn="model:acme/churn/churn:3",
            version=3,
            version_alias="v3-best",
            description="a tree",
            source_type="truefoundry",
            source_uri="mlfoundry-artifacts:/acme/churn",
            framework_type="transformers",
            library_name="transformers",
            pipeline_tag="fill-mask",
            base_model=None,
            python_version="3.11",
            step=5,
            run_id="run-1",
            deployable=True,
            artifact_size_bytes=1024,
            usage_code_snippet="import truefoundry",
            created_by_id="user-1",
            created_at=datetime(2024, 5, 1, 10, tzinfo=UTC),
            updated_at=datetime(2024, 5, 2, 10, tzinfo=UTC),
            metadata={"accuracy": 0.93, ".truefoundry": {"artifact_size": 1024}},
            manifest=a_manifest(),
            extra=None,
            content_hash=identified.content_hash,
        )
    ]
    assert rows["model_version_tags"] == [("v-3", 0, "champion"), ("v-3", 1, "prod")]
    assert [row[2:4] for row in rows["model_version_metrics"]] == [("loss", 0.25)]
    assert [row[3] for row in rows["model_version_packages"]] == ["scikit-learn", "numpy"]
    assert [row[0] for row in rows["subjects"]] == ["user-1"]


@pytest.mark.parametrize(
    ("manifest", "fqn", "version"),
    [
        ({"version": 4.0}, "model:t/r/m:3", 4),
        ({"version": "4"}, "model:t/r/m:3", 3),
        (None, "model:t/r/m:3", 3),
        (["odd"], "model:t/r/m:9223372036854775808", None),
        ({}, "model:t/r/m:" + "9" * 5000, None),
        ({}, "model:t/r/m:latest", None),
        ({}, "3", None),
        ({}, None, None),
    ],
)
def test_version_number_is_read_from_the_manifest_or_the_end_of_the_fqn(
    manifest: object, fqn: object, version: int | None
) -> None:
    assert _row(manifest=manifest, fqn=fqn).version == version


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ({"type": "external", "uri": "s3://b/m"}, "s3://b/m"),
        ({"type": "local", "file_or_folder": "./m"}, "./m"),
        ({"type": "new", "where": "x"}, None),
        ("s3://b/m", None),
    ],
)
def test_source_uri_is_the_location_of_the_files(source: object, uri: str | None) -> None:
    assert _row(manifest=a_manifest(source=source)).source_uri == uri


def test_unknown_framework_keeps_its_name() -> None:
    assert _row(manifest=a_manifest(framework={"type": "abacus"})).framework_type == "abacus"


def test_alias_outside_the_manifest_is_used_if_the_manifest_has_none() -> None:
    assert _row(manifest=a_manifest(), version_alias="v3-old").version_alias == "v3-best"
    outside_manifest = _row(manifest=a_manifest(version_alias=None), version_alias="v3-old")
    assert (outside_manifest.version_alias, outside_manifest.extra) == ("v3-old", {"version_alias": "v3-old"})


@pytest.mark.parametrize(
    ("tags", "stored", "extra"),
    [
        (["prod", "Prod"], [(0, "prod"), (1, "Prod")], None),
        (["b", "a", "b"], [(0, "b"), (1, "a")], {"tags": ["b", "a", "b"]}),
        ([None, "a"], [(0, "a")], {"tags": [None, "a"]}),
        ([], [], {"tags": []}),
        (None, [], None),
    ],
)
def test_tags_are_distinct_rows_and_a_list_that_rows_cannot_hold_is_kept_in_extra(
    tags: object, stored: list[tuple[int, str]], extra: Record | None
) -> None:
    rows = to_rows(identify(Entity.MODEL_VERSIONS, a_version(tags=tags)))
    assert [row[1:] for row in rows["model_version_tags"]] == stored
    assert ModelVersionRow._make(rows["model_versions"][0]).extra == extra


def test_value_too_long_for_an_index_has_no_row_and_is_not_lost() -> None:
    long = "t" * 2001
    metrics = [{"key": long, "value": 1.0}, {"key": "auc", "value": 0.5}]
    record = a_version(
        tags=[long, "prod"], metrics=metrics, manifest=a_manifest(framework={"type": long, "library_name": "x"})
    )
    rows = to_rows(identify(Entity.MODEL_VERSIONS, record))
    assert rows["model_version_tags"] == [("v-3", 0, "prod")]
    assert [row[2] for row in rows["model_version_metrics"]] == ["auc"]
    assert ModelVersionRow._make(rows["model_versions"][0]).framework_type is None
    rebuilt = rebuild(Entity.MODEL_VERSIONS, rows)
    assert {name: rebuilt[name] for name in ("tags", "metrics", "manifest")} == {
        name: record[name] for name in ("tags", "metrics", "manifest")
    }


def _row(**changes: Any) -> ModelVersionRow:
    return ModelVersionRow._make(to_rows(identify(Entity.MODEL_VERSIONS, a_version(**changes)))["model_versions"][0])
