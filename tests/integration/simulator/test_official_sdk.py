"""The official SDK can list and parse everything that the simulator serves."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from etl.simulator import Registry, Simulator
from tests.support.patience import patience

if TYPE_CHECKING:
    from truefoundry_sdk import TrueFoundry

TOKEN = "demo-token"


@contextmanager
def sdk_client(url: str, token: str = TOKEN) -> Iterator["TrueFoundry"]:
    """Yield the official client of the control plane at `url`, and close its connections afterwards."""
    from truefoundry_sdk import TrueFoundry

    with httpx.Client(timeout=patience(), trust_env=False) as connections:
        yield TrueFoundry(base_url=url, api_key=token, httpx_client=connections)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.generate(seed=7, models=60)


@pytest.fixture(scope="module")
def client(registry: Registry) -> Iterator["TrueFoundry"]:
    with Simulator(registry) as simulator, sdk_client(simulator.url) as client:
        yield client


def test_every_ml_repo_is_listed_as_in_the_registry(client: "TrueFoundry", registry: Registry) -> None:
    listed = list(client.ml_repos.list(limit=2))

    assert [
        (repo.id, repo.tenant_name, repo.manifest.name, repo.manifest.description, repo.num_runs) for repo in listed
    ] == [
        (
            repo["id"],
            repo["tenant_name"],
            repo["manifest"]["name"],
            repo["manifest"]["description"],
            repo["num_runs"],
        )
        for repo in registry.records("ml-repos")
    ]
    assert len(listed) == 3


def test_every_model_is_listed_as_in_the_registry(client: "TrueFoundry", registry: Registry) -> None:
    listed = list(client.models.list(limit=7))

    assert [
        (
            model.id,
            model.ml_repo_id,
            model.name,
            model.fqn,
            model.created_by_subject.subject_id,
            model.created_at,
            model.updated_at,
            model.latest_version.id if model.latest_version else None,
            model.run_steps,
        )
        for model in listed
    ] == [
        (
            model["id"],
            model["ml_repo_id"],
            model["name"],
            model["fqn"],
            model["created_by_subject"]["subjectId"],
            _time(model["created_at"]),
            _time(model["updated_at"]),
            model["latest_version"] and model["latest_version"]["id"],
            model["run_steps"],
        )
        for model in registry.records("models")
    ]
    assert len(listed) == 60


def test_every_version_is_listed_as_in_the_registry(client: "TrueFoundry", registry: Registry) -> None:
    listed = list(client.model_versions.list(limit=100))

    assert [_values_in_sdk(version) for version in listed] == [
        _values_in_registry(version) for version in registry.records("model-versions")
    ]
    assert len(listed) == 57 * 5


def test_every_framework_source_and_metric_is_recognised(client: "TrueFoundry", registry: Registry) -> None:
    listed = {version.id: version for version in client.model_versions.list(limit=1000)}

    for record in registry.records("model-versions"):
        version = listed[record["id"]]
        manifest = record["manifest"]
        framework, environment = version.manifest.framework, version.manifest.environment
        # A dump equals the record only if the SDK has chosen the right class: another has other fields.
        assert version.manifest.source.model_dump(exclude_unset=True) == manifest["source"]
        assert (framework and framework.model_dump(exclude_unset=True)) == manifest["framework"]
        assert (environment and environment.model_dump()) == manifest["environment"]
        assert version.manifest.metadata == manifest["metadata"]
        assert [metric.model_dump() for metric in version.metrics or []] == record["metrics"]


def test_sdk_gets_a_record_by_id_and_a_deleted_one_raises_not_found(client: "TrueFoundry", registry: Registry) -> None:
    from truefoundry_sdk.errors import NotFoundError

    model_id, version_id = registry.ids("models")[0], registry.ids("model-versions")[0]

    assert client.models.get(model_id).data.id == model_id
    assert client.model_versions.get(version_id).data.id == version_id
    assert client.ml_repos.get("1").data.id == "1"
    with pytest.raises(NotFoundError):
        client.models.get("no-such-model")


def test_the_filters_of_the_sdk_narrow_its_lists(client: "TrueFoundry", registry: Registry) -> None:
    version = next(v for v in registry.records("model-versions") if v["tags"] and v["manifest"]["run_id"])
    manifest = version["manifest"]

    def ids(**filters: Any) -> list[str]:
        return [listed.id for listed in client.model_versions.list(**filters)]

    assert ids(fqn=version["fqn"]) == [version["id"]]
    assert ids(model_id=version["model_id"], version=manifest["version"]) == [version["id"]]
    assert ids(run_ids=["another", manifest["run_id"]]) == [version["id"]]
    assert version["id"] in ids(tag=version["tags"][0], run_steps=[float(manifest["step"])])
    assert [model.id for model in client.models.list(run_id=manifest["run_id"])] == [version["model_id"]]
    assert len(list(client.models.list(include_empty_models=False))) == 57


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _values_in_sdk(version: Any) -> tuple[Any, ...]:
    return (
        version.id,
        version.model_id,
        version.ml_repo_id,
        version.fqn,
        version.manifest.version,
        version.manifest.version_alias,
        version.manifest.description,
        version.manifest.step,
        version.manifest.run_id,
        version.tags,
        version.deployable,
        version.usage_code_snippet,
        version.created_by_subject.subject_type.value,
        version.created_at,
        version.updated_at,
    )


def _values_in_registry(version: Any) -> tuple[Any, ...]:
    manifest = version["manifest"]
    return (
        version["id"],
        version["model_id"],
        version["ml_repo_id"],
        version["fqn"],
        manifest["version"],
        manifest["version_alias"],
        manifest["description"],
        manifest["step"],
        manifest["run_id"],
        version["tags"],
        version["deployable"],
        version["usage_code_snippet"],
        version["created_by_subject"]["subjectType"],
        _time(version["created_at"]),
        _time(version["updated_at"]),
    )
