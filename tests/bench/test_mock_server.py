import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench import dataset
from bench.mock_server import MAX_LIMIT, PREFIX, TOKEN, Running, running
from etl.simulator import ML_REPOS, MODEL_VERSIONS, MODELS, Registry, Simulator
from tests.support.patience import patience

LISTS = (ML_REPOS, MODELS, MODEL_VERSIONS)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Running, Path]]:
    with running(120) as (plane, folder):
        yield plane, folder


@pytest.fixture
def plane(served: tuple[Running, Path]) -> Running:
    plane, _ = served
    plane.switch(state=dataset.BASE)
    return plane


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.generate(1, ml_repos=5, models=120, versions=5, metrics=10, empty_share=0.0)


def get(url: str, path: str, *, token: str = TOKEN, **query: str | int) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{url}{PREFIX}{path}", params=query, headers=headers, trust_env=False, timeout=patience())


def listed(url: str, path: str, **query: str) -> list[Any]:
    records: list[Any] = get(url, path, limit=MAX_LIMIT, **query).json()["data"]
    return records


@pytest.mark.parametrize("offset", [0, 4, 99, 119, 120, 10_000])
@pytest.mark.parametrize("endpoint", LISTS)
def test_a_page_equals_that_of_the_simulator(plane: Running, registry: Registry, endpoint: str, offset: int) -> None:
    with Simulator(registry, token=TOKEN) as simulator:
        for limit in (1, 7, 1000):
            answers = [get(url, endpoint, offset=offset, limit=limit) for url in (plane.url, simulator.url)]
            assert answers[0].content == answers[1].content


def test_a_filter_gives_the_records_of_that_model_or_repo_alone(plane: Running, registry: Registry) -> None:
    model_id = registry.ids(MODELS)[37]
    filters = [(MODELS, "ml_repo_id", "3"), (MODEL_VERSIONS, "ml_repo_id", "3"), (MODEL_VERSIONS, "model_id", model_id)]
    with Simulator(registry, token=TOKEN) as simulator:
        for endpoint, name, value in filters:
            answers = [
                get(url, endpoint, offset=2, limit=3, **{name: value}).json() for url in (plane.url, simulator.url)
            ]
            assert answers[0] == answers[1]
            assert answers[0]["pagination"]["total"] in {5, 24, 120}


def test_record_is_served_by_id_and_a_missing_one_is_404(plane: Running, registry: Registry) -> None:
    for endpoint in LISTS:
        record_id = registry.ids(endpoint)[-1]
        assert get(plane.url, f"{endpoint}/{record_id}").json() == {"data": registry.get(endpoint, record_id)}
        assert get(plane.url, f"{endpoint}/nobody").status_code == 404


def test_unknown_requests_are_rejected(plane: Running) -> None:
    assert get(plane.url, MODELS, token="another").status_code == 401
    assert get(plane.url, MODELS, updated_since="2024").status_code == 400
    assert get(plane.url, MODELS, limit=1001).status_code == 422
    assert get(plane.url, MODELS, limit=0).status_code == 422
    assert get(plane.url, MODELS, offset="x").status_code == 422
    assert get(plane.url, "experiments").status_code == 404


def test_the_server_counts_requests_and_bytes_of_bodies(plane: Running) -> None:
    plane.switch()
    bodies = [get(plane.url, MODELS, limit=limit).content for limit in (3, 100)]
    assert plane.switch() == (2, sum(map(len, bodies)))
    assert plane.switch() == (0, 0)


def test_half_of_the_edits_do_not_change_updated_at(served: tuple[Running, Path], plane: Running) -> None:
    before = {endpoint: listed(plane.url, endpoint) for endpoint in LISTS}
    plane.switch(state=dataset.CHANGED)
    after = {endpoint: listed(plane.url, endpoint) for endpoint in LISTS}
    pairs = [pair for pair in zip(before[MODEL_VERSIONS], after[MODEL_VERSIONS], strict=True) if pair[0] != pair[1]]
    counts, without_new_time = pairs
    assert counts[0]["updated_at"] < counts[1]["updated_at"]
    assert counts[1]["manifest"]["description"] == dataset.EDITED_TEXT
    assert without_new_time[0] | {"tags": [dataset.EDITED_TAG]} == without_new_time[1]
    touched = {
        new["id"]
        for old, new in zip(before[MODELS], after[MODELS], strict=True)
        if old["updated_at"] != new["updated_at"]
    }
    assert touched == {counts[1]["model_id"]}
    assert before[ML_REPOS] == after[ML_REPOS]
    expected = dataset.expected(served[1], dataset.CHANGED)
    assert (expected["edited descriptions"], expected["edited tags"]) == (1, 1)


def test_deleted_state_lacks_a_hundredth_of_the_models_with_versions(plane: Running) -> None:
    plane.switch(state=dataset.CHANGED)
    before = {endpoint: listed(plane.url, endpoint) for endpoint in LISTS}
    plane.switch(state=dataset.DELETED)
    deleted_id = before[MODELS][50]["id"]
    assert listed(plane.url, MODELS) == [model for model in before[MODELS] if model["id"] != deleted_id]
    remaining = [version for version in before[MODEL_VERSIONS] if version["model_id"] != deleted_id]
    assert listed(plane.url, MODEL_VERSIONS) == remaining
    assert listed(plane.url, MODEL_VERSIONS, model_id=deleted_id) == []
    in_repos = [listed(plane.url, MODELS, ml_repo_id=repo["id"]) for repo in before[ML_REPOS]]
    assert {model["id"] for models in in_repos for model in models} == {m["id"] for m in before[MODELS]} - {deleted_id}


def test_expected_counts_equal_the_served_records(served: tuple[Running, Path], plane: Running) -> None:
    for state in dataset.STATES:
        plane.switch(state=state)
        versions = listed(plane.url, MODEL_VERSIONS)
        environments = [version["manifest"]["environment"] or {"pip_packages": []} for version in versions]
        counts = dataset.expected(served[1], state)
        assert counts["ml_repos"] == len(listed(plane.url, ML_REPOS))
        assert counts["models"] == len(listed(plane.url, MODELS))
        assert counts["model_versions"] == len(versions)
        assert counts["tags"] == sum(len(version["tags"] or []) for version in versions)
        assert counts["metrics"] == sum(len(version["metrics"]) for version in versions)
        assert counts["packages"] == sum(len(environment["pip_packages"]) for environment in environments)


def test_registry_generated_in_blocks_is_consistent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_BLOCK", 10)
    with running(25, states=(dataset.BASE,)) as (plane, _):
        models, versions = listed(plane.url, MODELS), listed(plane.url, MODEL_VERSIONS)
        for records, count in ((models, 25), (versions, 125)):
            assert len({record["id"] for record in records}) == count
            assert len({record["fqn"] for record in records}) == count
        of_model = {model["id"]: listed(plane.url, MODEL_VERSIONS, model_id=model["id"]) for model in models}
        assert [version for of_one in of_model.values() for version in of_one] == versions
        assert [of_model[model["id"]][-1] for model in models] == [model["latest_version"] for model in models]
        in_repos = [listed(plane.url, MODELS, ml_repo_id=repo["id"]) for repo in listed(plane.url, ML_REPOS)]
        assert sorted(json.dumps(model) for models in in_repos for model in models) == sorted(map(json.dumps, models))


def test_a_registry_may_have_other_numbers_of_ml_repos_and_versions() -> None:
    with running(24, states=(dataset.BASE,), ml_repos=8, versions=1) as (plane, _):
        repos = [repo["id"] for repo in listed(plane.url, ML_REPOS)]
        assert len(repos) == 8
        assert [len(listed(plane.url, MODELS, ml_repo_id=repo)) for repo in repos] == [3] * 8
        assert len(listed(plane.url, MODEL_VERSIONS)) == 24
