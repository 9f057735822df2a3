from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from etl.report.data import gather
from etl.store import queries
from tests.integration.report.conftest import Gathered
from tests.support.sync_env import SyncEnv


def test_gather_returns_none_before_any_run_has_written(env: SyncEnv) -> None:
    now = datetime.now(UTC)
    assert gather(env.url, now, timedelta(days=180)) is None
    env.execute(
        "INSERT INTO sync_runs (id, started_at, status, complete, mode, scope, host, tool_version, requests, retries,"
        " bytes_received) VALUES ('r', '2026-01-01 00:00:00.000000', 'failed', false, 'full', '{}', 'h', '1', 0, 0, 0)"
    )
    assert gather(env.url, now, timedelta(days=180)) is None


def test_counts_are_those_of_the_source(env: SyncEnv, gathered: Gathered) -> None:
    registry = env.registry
    env.sync()
    registry.delete_model(registry.ids("models")[0])
    env.sync()
    data = gathered()
    sizes = [
        version["manifest"]["metadata"][".truefoundry"]["artifact_size"]
        for version in registry.records("model-versions")
    ]
    assert {name: data.counts[name] for name in ("ml_repos", "models", "model_versions", "bytes", "without_size")} == {
        "ml_repos": 3, "models": 11, "model_versions": len(sizes), "bytes": sum(sizes), "without_size": 0,
    }  # fmt: skip
    assert data.tenant == "acme"
    assert sum(row["models"] for row in data.ml_repos.rows) == 11
    assert all(type(value) is int for row in data.ml_repos.rows for value in (row["models"], row["versions"]))


def test_a_first_load_is_no_change_and_later_runs_are(env: SyncEnv, gathered: Gathered) -> None:
    registry = env.registry
    env.sync()
    assert gathered().changed_lately == {}
    first, second, third = registry.ids("models")[:3]
    registry.delete_model(first)
    registry.add_version(second)
    env.sync()
    registry.set_tags(registry.get("models", third)["latest_version"]["id"], ["a", "b", "c"], touch=False)
    registry.touch(third)
    env.sync()
    data = gathered()
    assert data.changed_last[("model_versions", "tag_added")] == len({"a", "b", "c"})
    assert not {("models", "updated"), ("models", "deleted")} & data.changed_last.keys()
    assert data.changed_lately[("models", "deleted")] == 1
    assert data.changed_lately[("model_versions", "created")] == 1
    assert data.newest_changes.rows[0]["observed_at"] == data.last_written["started_at"]
    assert all(row["field"] != "updated_at" for row in data.newest_changes.rows)


def test_changes_older_than_thirty_days_are_not_recent(env: SyncEnv, gathered: Gathered) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[0])
    env.sync()
    assert gathered().changed_lately[("models", "deleted")] == 1
    for table, column in (("changes", "observed_at"), ("sync_runs", "started_at")):
        env.execute(f"UPDATE {table} SET {column} = '2024-01-01 00:00:00.000000'")  # noqa: S608 names of our own
    data = gathered()
    assert data.changed_lately == {}
    assert data.since == data.made_at - timedelta(days=30)


def test_recent_period_starts_at_the_first_run_at_the_earliest(env: SyncEnv, gathered: Gathered) -> None:
    env.sync()
    data = gathered()
    assert data.since == data.runs[-1]["started_at"]


def test_production_counts_each_version_once_and_recent_entries(env: SyncEnv, gathered: Gathered) -> None:
    registry = env.registry
    for version in registry.ids("model-versions"):
        registry.set_tags(version, [])
        registry.set_alias(version, None)
    there, both, comes = registry.ids("model-versions")[:3]
    registry.set_tags(there, ["prod"])
    registry.set_tags(both, ["prod", "Production"])
    env.sync()
    registry.set_tags(comes, ["champion"])
    env.sync()
    data = gathered()
    assert (data.production_counts["versions"], data.production_counts["entered"]) == (3, 1)
    assert data.production.total == 4
    newest = data.production.rows[0]
    assert (newest["model_version_id"], newest["tag"], newest["since_is_exact"]) == (comes, "champion", True)
    unfit = [each for each in (there, both, comes) if not registry.get("model-versions", each)["deployable"]]
    assert data.production_counts["not_deployable"] == len(unfit)


def test_a_long_list_is_cut_and_counted(env: SyncEnv, monkeypatch: pytest.MonkeyPatch, gathered: Gathered) -> None:
    monkeypatch.setattr("etl.report.data.PRODUCTION", 2)
    monkeypatch.setattr("etl.report.data.MODELS", 2)
    for version in env.registry.ids("model-versions"):
        env.registry.set_tags(version, ["prod"])
    env.sync()
    data = gathered()
    versions = len(env.registry.ids("model-versions"))
    assert (len(data.production.rows), data.production.total) == (2, versions)
    assert data.production_counts["versions"] == versions
    assert (len(data.stale.rows), data.stale.total) == (2, 12)


def test_metrics_over_versions_are_those_of_models_in_production(env: SyncEnv, gathered: Gathered) -> None:
    registry = env.registry
    for version in registry.ids("model-versions"):
        registry.set_tags(version, [])
        registry.set_alias(version, None)
    model = registry.records("models")[4]
    versions = [each for each in registry.records("model-versions") if each["model_id"] == model["id"]]
    for version, value in zip(versions, (0.5, 0.75, float("nan")), strict=True):
        registry.set_fields(version["id"], {"metrics": [{"key": "auc", "value": value, "timestamp": 1, "step": 1}]})
    registry.set_tags(versions[1]["id"], ["prod"])
    env.sync()
    (series,) = gathered().metrics
    assert series == (model["id"], "auc", [(1, 0.5), (2, 0.75)])


def test_metrics_of_a_model_with_many_versions_cover_the_last_ones(env: SyncEnv) -> None:
    model = env.registry.ids("models")[0]
    for _ in range(6):
        env.registry.add_version(model, metrics=1)
    env.sync()
    with queries.report.one_moment(env.url) as connection:
        rows = queries.report.metrics_over_versions(connection, [model], 2)
    assert {row["version"] for row in rows} <= {8, 9}
    assert rows


def test_model_without_a_recent_version_is_stale(env: SyncEnv, gathered: Gathered) -> None:
    env.registry.add_model("1", "empty")
    fresh = env.registry.ids("model-versions")[0]
    env.registry.set_fields(fresh, {"created_at": datetime.now(UTC).isoformat()})
    env.sync()
    data = gathered()
    assert data.stale.total == 11
    assert env.registry.get("model-versions", fresh)["model_id"] not in {row["model_id"] for row in data.stale.rows}
    assert gathered(stale_after=timedelta(days=36_500)).stale.total == 0


def test_undocumented_models_are_counted_by_what_they_lack(env: SyncEnv, gathered: Gathered) -> None:
    registry = env.registry
    for version in registry.ids("model-versions"):
        registry.set_tags(version, ["t"])
        registry.set_description(version, "What it predicts.")
    models = registry.records("models")
    registry.set_description(models[0]["latest_version"]["id"], " ")
    registry.set_fields(models[1]["id"], {"created_by_subject": None})
    for version in registry.records("model-versions"):
        if version["model_id"] == models[2]["id"]:
            registry.set_tags(version["id"], None)
    empty = registry.add_model("1", "empty")
    env.sync()
    data = gathered()
    assert data.undocumented_counts == {"description": 2, "creator": 1, "tags": 2, "empty": 1}
    assert data.undocumented.rows[0]["model_id"] == empty
    assert data.undocumented.total == 4


def test_growth_has_every_model_and_version_with_a_date(env: SyncEnv, gathered: Gathered) -> None:
    env.registry.set_fields(env.registry.ids("models")[0], {"created_at": None})
    env.sync()
    growth = gathered().growth
    assert sum(row["models_created"] for row in growth) == 11
    assert sum(row["versions_created"] for row in growth) == len(env.registry.ids("model-versions"))


def test_the_mix_counts_a_model_once_whatever_its_patch_releases(env: SyncEnv, gathered: Gathered) -> None:
    registry = env.registry
    pythons = ("3.9.1", "3.9.18", "3.12")
    expected: dict[str, set[str]] = defaultdict(set)
    versions = Counter[str]()
    for place, version in enumerate(registry.records("model-versions")):
        python = pythons[place % 3]
        environment = {"python_version": python, "pip_packages": ["numpy==2", "Numpy>1"]}
        registry.set_fields(version["id"], {"manifest": version["manifest"] | {"environment": environment}})
        minor = ".".join(python.split(".")[:2])
        expected[minor].add(version["model_id"])
        versions[minor] += 1
    env.sync()
    data = gathered()
    assert {row["name"]: (row["models"], row["versions"]) for row in data.pythons} == {
        minor: (len(models), versions[minor]) for minor, models in expected.items()
    }
    (numpy,) = data.packages
    assert (numpy["name"], numpy["versions"]) == ("numpy", versions.total())


def test_data_is_from_one_snapshot_while_a_run_commits(env: SyncEnv) -> None:
    env.sync()
    with queries.report.one_moment(env.url) as connection:
        before = queries.report.counts(connection)
        env.registry.add_model("1", "appears")
        env.sync()
        assert queries.report.counts(connection) == before
        assert queries.report.changed_since(connection, datetime(2000, 1, 1, tzinfo=UTC)) == {}
    with queries.report.one_moment(env.url) as connection:
        assert queries.report.counts(connection)["models"] == before["models"] + 1


def test_a_model_that_several_people_made_versions_of_is_one_of_its_framework(env: SyncEnv, gathered: Gathered) -> None:
    model = env.registry.ids("models")[0]
    env.registry.set_fields(model, {"created_by_subject": None})
    for who in ("a", "b"):
        version = env.registry.add_version(model)
        author = {"subjectId": who, "subjectType": "user", "subjectSlug": who}
        manifest = env.registry.get("model-versions", version)["manifest"] | {"framework": {"type": "rare"}}
        env.registry.set_fields(version, {"created_by_subject": author, "manifest": manifest})
    env.sync()
    (rare,) = (row for row in gathered().frameworks if row["name"] == "rare")
    assert (rare["models"], rare["versions"]) == (1, 2)
