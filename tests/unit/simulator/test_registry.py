import json
import math
from typing import Any

import pytest

from etl.simulator import NoSuchRecord, Registry


@pytest.fixture
def registry() -> Registry:
    return Registry.generate(models=4, versions=2, metrics=2, empty_share=0.0)


def listed(registry: Registry, entity: str, **filters: str) -> list[str]:
    texts, _ = registry.page(entity, {name: (value,) for name, value in filters.items()}, 0, 1000)
    return [json.loads(text)["id"] for text in texts]


def updated_at(registry: Registry, entity: str, record_id: str) -> Any:
    return registry.get(entity, record_id)["updated_at"]


def test_a_change_of_a_version_is_visible_in_the_model_that_embeds_it(registry: Registry) -> None:
    model_id = registry.ids("models")[0]
    version_id = registry.get("models", model_id)["latest_version"]["id"]

    registry.set_tags(version_id, ["prod", "prod"])
    registry.set_alias(version_id, "v9")
    registry.set_description(version_id, "Better.")
    registry.set_framework(version_id, {"type": "jax"})
    registry.add_metric(version_id, "auc", 0.9, step=3)

    version = registry.get("model-versions", version_id)
    assert version["tags"] == ["prod", "prod"]
    assert version["manifest"]["version_alias"] == "v9"
    assert version["manifest"]["description"] == "Better."
    assert version["manifest"]["framework"] == {"type": "jax"}
    assert version["metrics"][2]["key"] == "auc"
    assert registry.get("models", model_id)["latest_version"] == version


def test_any_record_accepts_unknown_fields(registry: Registry) -> None:
    model_id = registry.ids("models")[0]
    version_id = registry.get("models", model_id)["latest_version"]["id"]

    registry.set_fields(model_id, {"colour": "red"})
    registry.set_fields(version_id, {"colour": "blue"})
    registry.set_fields("1", {"num_runs": None}, touch=False)

    model = registry.get("models", model_id)
    assert (model["colour"], model["latest_version"]["colour"]) == ("red", "blue")
    assert registry.get("ml-repos", "1")["num_runs"] is None
    assert "updated_at" not in registry.get("ml-repos", "1")


def test_a_touched_change_moves_updated_at_of_the_version_and_of_its_model(registry: Registry) -> None:
    version_id = registry.ids("model-versions")[0]
    model_id = registry.get("model-versions", version_id)["model_id"]
    before = updated_at(registry, "model-versions", version_id), updated_at(registry, "models", model_id)

    registry.set_tags(version_id, ["prod"])

    assert updated_at(registry, "model-versions", version_id) > before[0]
    assert updated_at(registry, "models", model_id) > before[1]


def test_an_untouched_change_moves_no_updated_at(registry: Registry) -> None:
    version_id = registry.ids("model-versions")[0]
    model_id = registry.get("model-versions", version_id)["model_id"]
    before = updated_at(registry, "model-versions", version_id), updated_at(registry, "models", model_id)

    registry.set_tags(version_id, ["prod"], touch=False)
    registry.delete_version(registry.ids("model-versions")[1], touch=False)

    assert updated_at(registry, "model-versions", version_id) == before[0]
    assert updated_at(registry, "models", model_id) == before[1]


def test_the_newest_version_is_the_latest_until_it_is_deleted(registry: Registry) -> None:
    model_id = registry.ids("models")[0]
    second = registry.get("models", model_id)["latest_version"]["id"]

    third = registry.add_version(model_id)
    assert registry.get("models", model_id)["latest_version"]["id"] == third

    registry.delete_version(third)
    assert registry.get("models", model_id)["latest_version"]["id"] == second


def test_the_number_of_a_deleted_version_is_not_used_again(registry: Registry) -> None:
    model_id = registry.ids("models")[0]
    registry.delete_version(registry.get("models", model_id)["latest_version"]["id"])

    version_id = registry.add_version(model_id)

    assert registry.get("model-versions", version_id)["fqn"].endswith(":3")


def test_ml_repo_is_deleted_and_restored_with_its_models_and_versions(registry: Registry) -> None:
    before = {entity: listed(registry, entity) for entity in ("ml-repos", "models", "model-versions")}

    registry.delete_ml_repo("1")
    assert listed(registry, "ml-repos") == ["2", "3"]
    assert len(listed(registry, "models")) == 2
    assert len(listed(registry, "model-versions")) == 4

    registry.restore("1")
    assert {entity: listed(registry, entity) for entity in before} == before


def test_deleted_model_is_restored_with_its_versions(registry: Registry) -> None:
    model_id = registry.ids("models")[1]
    before = registry.get("models", model_id)

    registry.delete_model(model_id)
    assert listed(registry, "model-versions", model_id=model_id) == []

    registry.restore(model_id)
    assert registry.get("models", model_id) == before
    assert len(listed(registry, "model-versions", model_id=model_id)) == 2


def test_a_new_ml_repo_never_gets_the_id_of_a_deleted_one(registry: Registry) -> None:
    registry.delete_ml_repo("3")

    assert registry.add_ml_repo("new") == "4"


def test_missing_record_cannot_be_read_changed_or_restored(registry: Registry) -> None:
    with pytest.raises(NoSuchRecord, match="nobody"):
        registry.get("models", "nobody")
    with pytest.raises(NoSuchRecord, match="nobody"):
        registry.touch("nobody")
    with pytest.raises(NoSuchRecord, match="nobody"):
        registry.restore("nobody")
    assert registry.text("models", "nobody") is None


def test_a_raw_record_is_served_verbatim_at_the_same_position(registry: Registry) -> None:
    first, second = registry.ids("models")[:2]

    registry.put_raw("models", first, {"id": second, "updated_at": math.nan, "name": "\ud800\0"})

    text = registry.text("models", first)
    assert text == b'{"id":"%b","updated_at":NaN,"name":"\\ud800\\u0000"}' % second.encode()
    assert listed(registry, "models")[:2] == [second, second]


@pytest.mark.parametrize("text", [b"[]", b"7", b"null", b'"text"', b'{"manifest":3,"tags":{}}', b'{"a":1,"a":2}'])
def test_a_raw_record_may_be_any_json(registry: Registry, text: bytes) -> None:
    registry.put_raw("model-versions", "odd", text)

    assert registry.text("model-versions", "odd") == text


def test_a_raw_version_becomes_the_latest_of_its_model(registry: Registry) -> None:
    model_id = registry.ids("models")[0]

    registry.put_raw("model-versions", "odd", {"id": "odd", "model_id": model_id})

    assert registry.get("models", model_id)["latest_version"] == {"id": "odd", "model_id": model_id}


def test_each_order_sorts_by_its_name(registry: Registry) -> None:
    created = registry.ids("models")
    registry.touch(created[1])

    registry.order = "created_desc"
    assert listed(registry, "models") == created[::-1]
    registry.order = "recent"
    assert listed(registry, "models") == [created[1], created[3], created[2], created[0]]
    registry.order = "name"
    names = [registry.get("models", model_id)["name"] for model_id in listed(registry, "models")]
    assert names == sorted(names)


def test_shuffled_list_is_complete_and_in_a_new_order_each_time() -> None:
    registry = Registry.generate(models=50, versions=0)
    registry.order = "shuffled"

    first, second = listed(registry, "models"), listed(registry, "models")

    assert first != second
    assert sorted(first) == sorted(second) == sorted(registry.ids("models"))


def test_a_page_is_a_slice_with_the_length_of_the_list(registry: Registry) -> None:
    texts, total = registry.page("model-versions", {}, 3, 2)

    assert [json.loads(text)["id"] for text in texts] == registry.ids("model-versions")[3:5]
    assert total == 8
