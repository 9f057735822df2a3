from datetime import timedelta

from etl.simulator import Registry
from etl.simulator.data import FRAMEWORKS, logical_clock, subjects

KNOWN_SUBJECT_TYPES = {
    "user", "team", "serviceaccount", "virtualaccount", "external-identity", "role", "agent-identity",
    "agent", "agent-channel-identity",
}  # fmt: skip


def test_equal_seeds_generate_equal_registries_and_different_seeds_different_ones() -> None:
    one, same, other = (Registry.generate(seed=seed, models=5) for seed in (1, 1, 2))

    assert one.records("models") == same.records("models")
    assert one.records("model-versions") == same.records("model-versions")
    assert one.records("model-versions") != other.records("model-versions")


def test_a_generated_registry_has_the_requested_numbers_of_records() -> None:
    registry = Registry.generate(ml_repos=2, models=20, versions=3, metrics=4, empty_share=0.25)

    assert len(registry.ids("ml-repos")) == 2
    assert len(registry.ids("models")) == 20
    assert len(registry.ids("model-versions")) == 15 * 3
    assert sum(model["latest_version"] is None for model in registry.records("models")) == 5
    assert {len(version["metrics"]) for version in registry.records("model-versions")} == {4}


def test_a_generated_registry_has_every_framework_and_source() -> None:
    manifests = [version["manifest"] for version in Registry.generate().records("model-versions")]

    assert {m["framework"] and m["framework"]["type"] for m in manifests} == set(FRAMEWORKS)
    assert {m["source"]["type"] for m in manifests} == {"truefoundry", "external", "local"}
    assert {m["environment"] is None for m in manifests} == {True, False}


def test_every_known_type_of_subject_creates_something() -> None:
    assert {subject["subjectType"] for subject in subjects("acme")} == KNOWN_SUBJECT_TYPES


def test_model_names_get_a_suffix_only_after_all_names_are_used() -> None:
    names = [model["name"] for model in Registry.generate(models=400, versions=0).records("models")]

    assert len(set(names)) == 400
    assert names[0] == "fraud-scorer"
    assert names[165] == "fraud-scorer-2"


def test_the_logical_clock_advances_by_one_tick_per_call() -> None:
    clock = logical_clock(tick=timedelta(seconds=3))

    assert clock() + timedelta(seconds=3) == clock()
