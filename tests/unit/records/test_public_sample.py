"""Every field of the sample in the public API reference has a column; `extra` stays empty."""

from datetime import UTC, datetime

from etl.enums import Entity
from etl.records import ModelRow, ModelVersionRow, identify, to_rows
from tests.support.public_sample import SAMPLE

(MODEL,) = SAMPLE["data"]
VERSION = MODEL["latest_version"]
AT = datetime(2023, 11, 7, 5, 31, 56, tzinfo=UTC)
TEXT = "<string>"


def test_each_field_of_the_model_has_a_column() -> None:
    rows = to_rows(identify(Entity.MODELS, MODEL))
    model = ModelRow._make(rows["models"][0])._asdict()
    del model["content_hash"]

    assert model == {
        "id": TEXT, "ml_repo_id": TEXT, "name": TEXT, "fqn": TEXT, "type": "model", "created_by_id": TEXT,
        "created_at": AT, "updated_at": AT, "latest_version_id": TEXT, "extra": None,
    }  # fmt: skip
    assert rows["model_run_steps"] == [(TEXT, 0, 123)]
    assert rows["subjects"] == [(TEXT, "user", TEXT, TEXT, None, None)]


def test_each_field_of_the_latest_version_has_a_column() -> None:
    rows = to_rows(identify(Entity.MODEL_VERSIONS, VERSION))
    version = ModelVersionRow._make(rows["model_versions"][0])._asdict()
    del version["content_hash"]

    assert version == {
        "id": TEXT, "model_id": TEXT, "ml_repo_id": TEXT, "fqn": TEXT, "version": 2, "version_alias": TEXT,
        "description": TEXT, "source_type": "truefoundry", "source_uri": TEXT, "framework_type": "transformers",
        "library_name": "transformers", "pipeline_tag": TEXT, "base_model": TEXT, "python_version": TEXT, "step": 0,
        "run_id": TEXT, "deployable": False, "artifact_size_bytes": None, "usage_code_snippet": TEXT,
        "created_by_id": TEXT, "created_at": AT, "updated_at": AT, "metadata": {}, "manifest": VERSION["manifest"],
        "extra": None,
    }  # fmt: skip
    assert rows["model_version_tags"] == [(TEXT, 0, TEXT)]
    assert rows["model_version_metrics"] == [(TEXT, 0, TEXT, 123.0, None, 0, 123)]
    assert [row[:3] for row in rows["model_version_packages"]] == [(TEXT, 0, TEXT)]
