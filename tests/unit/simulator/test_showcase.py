from datetime import UTC, datetime

from etl.simulator import MODEL_VERSIONS, MODELS, Showcase

TODAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_same_day_makes_the_same_registry() -> None:
    one, other = (Showcase(TODAY) for _ in range(2))
    assert one.simulate_day() == other.simulate_day()
    assert one.registry.records(MODEL_VERSIONS) == other.registry.records(MODEL_VERSIONS)


def test_versions_were_created_over_months_up_to_the_day() -> None:
    showcase = Showcase(TODAY)
    showcase.simulate_day()
    created = [each["created_at"] for each in showcase.registry.records(MODEL_VERSIONS)]
    assert min(created).startswith("2025-10-09")
    assert max(created).startswith("2026-03-02T10")


def test_most_models_become_faster_and_some_slower() -> None:
    registry = Showcase(TODAY).registry
    latencies: dict[str, list[float]] = {}
    for each in sorted(registry.records(MODEL_VERSIONS), key=lambda each: each["created_at"]):
        (latency,) = [metric["value"] for metric in each["metrics"] if metric["key"] == "latency_ms"]
        latencies.setdefault(each["model_id"], []).append(latency)
    slower = [values[-1] > values[0] for values in latencies.values() if len(values) > 1]
    assert 0 < sum(slower) < len(slower) / 3


def test_the_work_adds_and_deletes_a_model() -> None:
    showcase = Showcase(TODAY)
    before = {each["name"] for each in showcase.registry.records(MODELS)}
    showcase.simulate_day()
    after = {each["name"] for each in showcase.registry.records(MODELS)}
    assert (after - before, before - after) == ({"basket-recommender"}, {"legacy-rules"})
