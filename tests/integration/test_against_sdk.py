"""Compare each stored field with the value that the official SDK returns."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from etl.models import (
    Base,
    MlRepo,
    Model,
    ModelRunStep,
    ModelVersion,
    ModelVersionMetric,
    ModelVersionPackage,
    ModelVersionTag,
    Subject,
)
from etl.simulator import Registry
from tests.integration.simulator.test_official_sdk import sdk_client
from tests.support.sync_env import TOKEN, Row, SyncEnv, sync_env


@pytest.fixture
def synced(migrated_url: str) -> Iterator[SyncEnv]:
    with sync_env(migrated_url, Registry.generate(seed=11, models=20, versions=4)) as env:
        env.sync()
        yield env


def test_every_ml_repo_is_stored_as_the_sdk_lists_it(synced: SyncEnv) -> None:
    with sdk_client(synced.plane.url, TOKEN) as client:
        listed = {
            repo.id: {
                "id": repo.id,
                "tenant_name": repo.tenant_name,
                "name": repo.manifest.name,
                "description": repo.manifest.description,
                "storage_integration_fqn": repo.manifest.storage_integration_fqn,
                "created_by_id": repo.created_by_subject.subject_id,
                "created_at": repo.created_at,
            }
            for repo in client.ml_repos.list()
        }

    assert len(listed) == 3
    assert _select_fields(synced.rows(MlRepo), listed) == listed


def test_every_model_is_stored_as_the_sdk_lists_it(synced: SyncEnv) -> None:
    with sdk_client(synced.plane.url, TOKEN) as client:
        models = list(client.models.list())
    listed = {
        model.id: {
            "id": model.id,
            "ml_repo_id": model.ml_repo_id,
            "name": model.name,
            "fqn": model.fqn,
            "type": model.type,
            "created_by_id": model.created_by_subject.subject_id,
            "created_at": model.created_at,
            "updated_at": model.updated_at,
            "latest_version_id": model.latest_version.id if model.latest_version else None,
        }
        for model in models
    }

    assert len(listed) == 20
    assert _select_fields(synced.rows(Model), listed) == listed
    steps = _rows_by_parent(synced, ModelRunStep, "model_id", "step")
    assert {model.id: steps[model.id] for model in models} == {model.id: model.run_steps for model in models}


def test_every_version_is_stored_as_the_sdk_lists_it(synced: SyncEnv) -> None:
    with sdk_client(synced.plane.url, TOKEN) as client:
        listed = {version.id: _version_fields(version) for version in client.model_versions.list()}

    assert len(listed) == 19 * 4
    assert _select_fields(synced.rows(ModelVersion), listed) == listed


def test_every_list_of_a_version_is_stored_as_the_sdk_lists_it(synced: SyncEnv) -> None:
    with sdk_client(synced.plane.url, TOKEN) as client:
        versions = list(client.model_versions.list())
    tags = _rows_by_parent(synced, ModelVersionTag, "model_version_id", "tag")
    packages = _rows_by_parent(synced, ModelVersionPackage, "model_version_id", "requirement")
    metrics = _rows_by_parent(synced, ModelVersionMetric, "model_version_id", "key", "value", "step", "timestamp_ms")

    for version in versions:
        environment = version.manifest.environment
        assert tags[version.id] == (version.tags or [])
        assert packages[version.id] == (environment.pip_packages if environment else [])
        assert metrics[version.id] == [
            (metric.key, metric.value, metric.step, metric.timestamp) for metric in version.metrics or []
        ]


def test_every_subject_is_stored_as_the_sdk_lists_it(synced: SyncEnv) -> None:
    with sdk_client(synced.plane.url, TOKEN) as client:
        records = [*client.ml_repos.list(), *client.models.list(), *client.model_versions.list()]
    listed = {
        subject.subject_id: {
            "id": subject.subject_id,
            "type": subject.subject_type.value,
            "slug": subject.subject_slug,
            "display_name": subject.subject_display_name,
            "pat_name": subject.subject_pat_name,
        }
        for subject in (record.created_by_subject for record in records)
    }

    assert len(listed) > 5
    assert _select_fields(synced.rows(Subject), listed) == listed


def _version_fields(version: Any) -> Row:
    manifest = version.manifest
    source, framework, environment = manifest.source, manifest.framework, manifest.environment
    return {
        "id": version.id,
        "model_id": version.model_id,
        "ml_repo_id": version.ml_repo_id,
        "fqn": version.fqn,
        "version": manifest.version,
        "version_alias": manifest.version_alias,
        "description": manifest.description,
        "source_type": source.type,
        "source_uri": getattr(source, "uri", None) or getattr(source, "file_or_folder", None),
        "framework_type": getattr(framework, "type", None),
        "library_name": getattr(framework, "library_name", None),
        "pipeline_tag": getattr(framework, "pipeline_tag", None),
        "base_model": getattr(framework, "base_model", None),
        "python_version": getattr(environment, "python_version", None),
        "step": manifest.step,
        "run_id": manifest.run_id,
        "deployable": version.deployable,
        "artifact_size_bytes": manifest.metadata[".truefoundry"]["artifact_size"],
        "usage_code_snippet": version.usage_code_snippet,
        "created_by_id": version.created_by_subject.subject_id,
        "created_at": version.created_at,
        "updated_at": version.updated_at,
        "metadata": manifest.metadata,
    }


def _select_fields(rows: list[Row], expected: dict[str, Row]) -> dict[str, Row]:
    """Return the rows by id, each with only the fields of the expected row."""
    return {row["id"]: {name: row[name] for name in expected[row["id"]]} for row in rows}


def _rows_by_parent(env: SyncEnv, table: type[Base], parent_column: str, *fields: str) -> dict[str, list[Any]]:
    """Return one field of each row, or a tuple of several, by the id of the parent."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in env.rows(table):
        values = tuple(row[name] for name in fields)
        found[row[parent_column]].append(values if len(values) > 1 else values[0])
    return found
