"""Production in reports about a copy of only a part of the registry."""

from etl.report.findings import findings
from etl.report.key_figures import key_figures, production_moves
from tests.integration.report.conftest import ReadData
from tests.integration.report.test_data import without_production
from tests.support.sync_env import SyncEnv


def test_superseded_versions_do_not_count_beside_the_version_that_replaced_them(
    env: SyncEnv, read_data: ReadData
) -> None:
    without_production(env.registry)
    env.plane.offers = frozenset({"models"})
    model = env.registry.ids("models")[0]
    versions = [env.registry.add_version(model)]
    env.registry.set_tags(versions[0], ["prod"])
    env.sync()
    for _ in range(2):
        env.registry.set_tags(versions[-1], [])
        versions.append(env.registry.add_version(model))
        env.registry.set_tags(versions[-1], ["prod"])
        env.sync()
    data = read_data()
    (in_production,) = data.production.models

    assert [each.row["model_version_id"] for each in in_production.versions] == versions[::-1]
    assert [each.row["model_version_id"] for each in in_production.current] == versions[-1:]
    assert "list-several" not in {each.anchor for each in findings(data)}
    assert {each.word for each in production_moves(data)[0]} == {"promoted"}


def test_a_model_that_is_not_listed_counts_as_no_model_in_production(env: SyncEnv, read_data: ReadData) -> None:
    without_production(env.registry)
    version = env.registry.ids("model-versions")[0]
    env.registry.set_tags(version, ["prod"])
    env.registry.set_fields(version, {"model_id": "hidden"})
    env.sync()
    data = read_data()

    assert [each.model_id for each in data.production.models] == ["hidden"]
    assert data.production.stored_models == 0
    assert key_figures(data)[0].value == "0"
