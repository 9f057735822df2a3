"""Results of the queries for the pages of a model and a version, on each database."""

from typing import Any

from sqlalchemy import Connection, select

from etl.changes import sentence
from etl.models import views
from etl.simulator import MODELS, Registry
from etl.store import open_readonly
from etl.store.queries import record_pages
from tests.support.record_builders import a_metric
from tests.support.sync_env import SyncEnv


def add_scorer(registry: Registry) -> tuple[str, list[str]]:
    """Add a model with three versions; the first one has a metric of 1,000 steps."""
    model = registry.add_model("1", "scorer")
    versions = [registry.add_version(model) for _ in range(3)]
    steps = [a_metric(key="loss", value=1 / (step + 1), step=step) for step in range(1000)]
    for place, version in enumerate(versions):
        auc = a_metric(key="auc", value=(0.5, 0.8, 0.6)[place])
        failed = [a_metric(key="gap", value=(0.85, float("nan"))[step], step=step) for step in range(2) if place == 1]
        registry.set_fields(version, {"metrics": [auc, *failed, *(() if place else steps)], "tags": None})
        registry.set_description(version, "The first one." if place == 0 else None)
    registry.set_tags(versions[0], ["prod", "env:live", "x"])
    return model, versions


def described(changes: record_pages.TruncatedList) -> list[str]:
    return [sentence(each, str) for each in changes.shown]


def test_pages_show_a_model_and_its_versions_after_changes(env: SyncEnv) -> None:
    registry = env.registry
    model_id, versions = add_scorer(registry)
    env.sync()
    registry.set_tags(versions[1], ["production"])
    registry.set_tags(versions[0], ["x"])
    registry.delete_version(versions[2])
    env.sync()
    with open_readonly(env.url) as connection, connection.begin():
        check_model(connection, model_id, versions)
        check_version(connection, versions)
        check_overview(connection)
        assert record_pages.model_page(connection, "no such id") is None
        assert record_pages.version_page(connection, "no such id") is None
        for other in registry.ids(MODELS):
            assert record_pages.model_page(connection, other) is not None


def check_model(connection: Connection, model_id: str, versions: list[str]) -> None:
    page = record_pages.model_page(connection, model_id)
    assert page is not None
    assert (page.model["name"], page.described and page.described["description"]) == ("scorer", "The first one.")
    assert [(row["version"], row["deleted_at"] is not None) for row in page.versions.shown] == [
        (3, True),
        (2, False),
        (1, False),
    ]
    assert page.versions.total == 3
    assert page.tags == {versions[0]: ["x"], versions[1]: ["production"]}
    assert [(each.row["version"], each.labels) for each in page.production] == [(2, ["production"])]
    moves = [(row["version"], row["change"], row["valid_to"] is None) for row in page.production_periods.shown]
    assert moves == [(2, "promotion", True), (1, "first", False)]
    assert [(each.key, each.places) for each in page.metrics.shown] == [("auc", [1, 2]), ("loss", [1])]
    assert page.metrics.shown[0].values == [0.5, 0.8]
    assert round(page.metrics.shown[0].change, 6) == 0.6
    assert [each.is_improvement for each in page.metrics.shown] == [True, None]
    assert page.metrics.shown[1].change is None
    assert sorted(described(page.changes)) == [
        "scorer v1: tag env:live removed",
        "scorer v1: tag prod removed",
        "scorer v2: tag production added",
        "scorer v3: deleted",
    ]
    assert page.changes.total == 4


def check_version(connection: Connection, versions: list[str]) -> None:
    first, second = (record_pages.version_page(connection, each) for each in versions[:2])
    assert first is not None
    assert second is not None
    assert (first.earlier, numbers(first.later)) == (None, 2)
    assert (numbers(second.earlier), second.later) == (1, None)  # the third is deleted
    assert (first.production, list(first.tags)) == ([], ["x"])
    assert [each.labels for each in second.production] == [["production"]]
    assert sorted(described(first.changes)) == ["scorer v1: tag env:live removed", "scorer v1: tag prod removed"]
    assert second.compared["auc"]["from_version"] == 1
    auc, loss = first.metrics.shown
    assert auc.values == [0.5]
    assert len(loss.values) == record_pages.MAX_CHART_POINTS
    assert loss.places == sorted(loss.places)
    assert loss.values[-1] == 1 / 1000
    (gap,) = (each for each in second.metrics.shown if each.key == "gap")
    assert (gap.values, gap.last, gap.change) == ([0.85], (1, None, "NaN"), None)
    assert (auc.last, loss.last) == ((1, 0.5, None), (999, 1 / 1000, None))
    assert (auc.better, loss.better, loss.is_improvement) == ("higher", "lower", True)
    assert [row["requirement"] for row in first.packages.shown] != []


def check_overview(connection: Connection) -> None:
    overview = record_pages.overview(connection, 2)
    assert overview.scope is not None
    assert overview.scope["scope"] == "all"
    assert len(overview.latest) == 2
    assert {each.model for each in overview.latest} == {"scorer"}


def numbers(neighbour: Any) -> Any:
    return neighbour and neighbour["version"]


def test_start_page_of_an_empty_database_is_empty(migrated_url: str) -> None:
    with open_readonly(migrated_url) as connection, connection.begin():
        assert record_pages.overview(connection, 8) == (None, 0, [])


def test_start_page_has_the_time_of_the_whole_registry_even_if_another_scope_is_newer(env: SyncEnv) -> None:
    env.sync()
    env.sync(ml_repo=("1",))
    with open_readonly(env.url) as connection, connection.begin():
        scope = record_pages.overview(connection, 1).scope
        scopes = {
            row["scope"]: row["age_seconds"] for row in connection.execute(select(views.sync_freshness)).mappings()
        }
    assert scope is not None
    assert scope["scope"] == "all"
    assert scopes.pop("all") > max(scopes.values())
