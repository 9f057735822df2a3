import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl.models import views
from etl.report.data import ReportData
from etl.report.findings import findings
from etl.report.gather import gather
from etl.report.growth import growth
from etl.report.key_figures import production_moves
from etl.simulator import Registry
from etl.store import queries
from tests.e2e.report.sample import move_back
from tests.integration.report.conftest import ReadData
from tests.support.sync_env import SyncEnv


def without_production(registry: Registry) -> list[str]:
    """Remove all tags and aliases, and return the ids of all versions."""
    versions = registry.ids("model-versions")
    for version in versions:
        registry.set_tags(version, [])
        registry.set_alias(version, None)
    return versions


def count_events(data: ReportData) -> Counter[str]:
    """Count creations, deletes and restores by table."""
    rows = data.activity.daily_counts
    return Counter(
        f"{row['entity']} {kind}"
        for row in rows
        for kind in ("created", "deleted", "restored")
        for _ in range(row[kind])
    )


def test_gather_returns_none_before_any_run_has_written(env: SyncEnv) -> None:
    now = datetime.now(UTC)
    assert gather(env.url, now, timedelta(days=180)) is None
    env.execute(
        "INSERT INTO sync_runs (id, started_at, status, complete, mode, scope, host, tool_version, requests, retries,"
        " bytes_received) VALUES ('r', '2026-01-01 00:00:00.000000', 'failed', false, 'full', '{}', 'h', '1', 0, 0, 0)"
    )
    assert gather(env.url, now, timedelta(days=180)) is None


def test_counts_are_those_of_the_source(env: SyncEnv, read_data: ReadData) -> None:
    registry = env.registry
    for version in registry.records("model-versions")[1:3]:
        registry.set_fields(version["id"], {"manifest": version["manifest"] | {"metadata": {}}})
    env.sync()
    registry.delete_model(registry.ids("models")[-1])
    env.sync()
    data = read_data()
    sizes = [
        version["manifest"]["metadata"].get(".truefoundry", {}).get("artifact_size")
        for version in registry.records("model-versions")
    ]
    assert {name: data.counts[name] for name in ("ml_repos", "models", "model_versions", "bytes", "without_size")} == {
        "ml_repos": 3, "models": 11, "model_versions": len(sizes), "bytes": sum(filter(None, sizes)), "without_size": 2,
    }  # fmt: skip
    assert data.tenant == "acme"
    repos = data.makeup.ml_repos.rows
    assert sum(row["models"] for row in repos) == 11
    assert sum(row["versions_without_size"] for row in repos) == 2
    assert all(type(row[name]) is int for row in repos for name in ("models", "versions", "artifact_size_bytes"))


def test_first_load_is_no_change_and_changes_of_later_runs_are_listed(env: SyncEnv, read_data: ReadData) -> None:
    registry = env.registry
    env.sync()
    data = read_data()
    assert (data.activity.changed_lately, data.activity.feed, data.activity.changes) == ({}, [], 0)
    # The recent period starts at the first run at the earliest.
    assert data.since == data.history.runs[-1]["started_at"]
    first, second, third = registry.ids("models")[:3]
    registry.delete_model(first)
    registry.add_version(second)
    env.sync()
    registry.set_tags(registry.get("models", third)["latest_version"]["id"], ["a", "b", "c"], touch=False)
    registry.touch(third)
    env.sync()
    activity = read_data().activity
    assert activity.changed_last[("model_versions", "tag_added")] == len({"a", "b", "c"})
    assert not {("models", "updated"), ("models", "deleted")} & activity.changed_last.keys()
    assert activity.changed_lately[("models", "deleted")] == 1
    assert activity.changed_lately[("model_versions", "created")] == 1
    assert activity.feed[0].kind in {"tag_added", "tag_removed"}
    assert {each.kind for each in activity.feed[-2:]} == {"deleted", "created"}
    assert not {each.field for each in activity.feed} & {"updated_at", "latest_version_id", "run_steps"}
    assert len(activity.feed) == activity.changes


def test_changes_older_than_thirty_days_are_not_recent(env: SyncEnv, read_data: ReadData) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[0])
    env.sync()
    assert read_data().activity.changed_lately[("models", "deleted")] == 1
    move_back(env, timedelta(days=31))
    data = read_data()
    assert (data.activity.changed_lately, data.activity.changes) == ({}, 0)
    assert data.since == data.made_at - timedelta(days=30)


def test_production_has_a_model_with_its_versions_and_the_labels_of_each(env: SyncEnv, read_data: ReadData) -> None:
    registry = env.registry
    without_production(registry)
    model = registry.records("models")[4]
    old, middle, _newest = [
        each["id"] for each in registry.records("model-versions") if each["model_id"] == model["id"]
    ]
    other = next(each["id"] for each in registry.records("model-versions") if each["model_id"] != model["id"])
    registry.set_tags(old, ["prod"])
    env.sync()
    registry.set_tags(old, ["live", "prod"])  # another label is no other entry
    registry.set_tags(middle, ["champion", "Production"])
    env.sync()
    registry.set_tags(old, [])
    registry.set_tags(other, ["env:prod"])
    env.sync()
    data = read_data()
    first, second = data.production.models
    assert (first.model_id, [each.labels for each in first.versions]) == (
        registry.get("model-versions", other)["model_id"],
        [["env:prod"]],
    )
    assert (second.model_id, second.latest_version, second.behind) == (model["id"], 3, 1)
    assert [(each.row["model_version_id"], each.labels) for each in second.versions] == [
        (middle, ["Production", "champion"])
    ]
    assert data.production.words == ["champion", "live", "prod", "production"]
    moves = production_moves(data)[0]
    assert {(each.word, each.model["model_id"], re.split(",| after", each.text)[0]) for each in moves} == {
        ("first", first.model_id, f"v{first.versions[0].row['version']} entered production"),
        ("retired", model["id"], "v1 left production"),
        ("entered", model["id"], "v2 entered production beside others"),
    }


def test_a_long_list_is_cut_and_counted(env: SyncEnv, monkeypatch: pytest.MonkeyPatch, read_data: ReadData) -> None:
    monkeypatch.setattr("etl.report.data.LISTED", 2)
    monkeypatch.setattr("etl.report.data.METRICS", 1)
    registry = env.registry
    for place, model in enumerate(registry.records("models")):
        registry.set_description(model["latest_version"]["id"], None)
        registry.set_tags(model["latest_version"]["id"], ["prod"] if place == 11 else [])
    env.sync()
    data = read_data()
    lacking = data.quality.lacking["description"]
    assert (len(data.quality.stale.rows), data.quality.stale.total) == (2, 12)
    assert (len(lacking.rows), lacking.total) == (2, 12)
    assert lacking.rows[0]["in_production"]
    assert len(data.metrics.worse.rows) <= 1 <= data.metrics.worse.total
    counted = {each.anchor: each.total for each in findings(data)}
    with env.connection() as connection:
        count = connection.execute(
            views.undocumented_models.select().where(~views.undocumented_models.c.has_tags)
        ).all()
    assert counted.get("list-tags", 0) == len(count)


def test_metrics_that_got_worse_in_production_or_in_the_newest_version_are_listed(
    env: SyncEnv, read_data: ReadData
) -> None:
    registry = env.registry
    versions = without_production(registry)
    for version in versions:
        registry.set_fields(version, {"metrics": []})
    model = registry.records("models")[4]
    ids = [each["id"] for each in registry.records("model-versions") if each["model_id"] == model["id"]]
    values: dict[str, tuple[float, ...]] = {
        "auc": (0.9, 0.8, 0.85), "val/loss": (0.5, 0.4, 0.6), "latency_ms": (5.0, 5.0, 4.0), "gadgets": (3.0, 1.0, 2.0),
    }  # fmt: skip
    for place, version in enumerate(ids):
        logged = [{"key": key, "value": each[place], "timestamp": 1, "step": 1} for key, each in values.items()]
        registry.set_fields(version, {"metrics": logged})
    registry.set_tags(ids[1], ["prod"])
    env.sync()
    metrics = read_data().metrics
    with queries.report.open_snapshot(env.url) as connection:
        last = queries.report.metrics.over_versions(connection, [model["id"]], 2)
    assert {row["version"] for row in last} == {2, 3}
    assert [(row["key"], row["to_version"], row["in_production"]) for row in metrics.worse.rows] == [
        ("auc", 2, True),
        ("val/loss", 3, False),
    ]
    assert (metrics.compared, metrics.worse.total, metrics.worse_in_production) == (8, 2, 1)
    assert metrics.without_direction == 2
    assert metrics.values == {
        (model["id"], key): list(zip((1, 2, 3), values[key], strict=True)) for key in ("auc", "val/loss")
    }


def test_stale_and_undocumented_models_are_counted(env: SyncEnv, read_data: ReadData) -> None:
    registry = env.registry
    for version in registry.ids("model-versions"):
        registry.set_tags(version, ["t"])
        registry.set_description(version, "What it predicts.")
    models = registry.records("models")
    registry.set_description(models[0]["latest_version"]["id"], " ")
    registry.set_tags(models[0]["latest_version"]["id"], ["prod"])
    registry.set_fields(models[1]["id"], {"created_by_subject": None})
    for version in registry.records("model-versions"):
        if version["model_id"] == models[2]["id"]:
            registry.set_tags(version["id"], None)
    fresh = models[3]["latest_version"]["id"]
    registry.set_fields(fresh, {"created_at": datetime.now(UTC).isoformat()})
    empty = registry.add_model("1", "empty")
    env.sync()
    quality = read_data().quality
    assert quality.stale.total == 11
    assert not {empty, models[3]["id"]} & {row["model_id"] for row in quality.stale.rows}
    assert read_data(stale_after=timedelta(days=36_500)).quality.stale.total == 0
    assert {lack: found.total for lack, found in quality.lacking.items()} == {
        "description": 2, "creator": 1, "tags": 2, "versions": 1,
    }  # fmt: skip
    assert [row["model_id"] for row in quality.lacking["versions"].rows] == [empty]
    assert [row["model_id"] for row in quality.undescribed_in_production.rows] == [models[0]["id"]]
    others = quality.lacking["description"].total - 1
    assert (len(quality.undescribed_elsewhere.rows), quality.undescribed_elsewhere.total) == (others, others)


def test_growth_counts_deleted_records_until_their_deletion(env: SyncEnv, read_data: ReadData) -> None:
    registry = env.registry
    registry.set_fields(registry.ids("models")[0], {"created_at": None})
    registry.set_fields(registry.ids("models")[1], {"created_at": "2999-01-01T00:00:00Z"})
    env.sync()
    versions = len(registry.ids("model-versions"))
    move_back(env, timedelta(days=20))
    first, second = registry.ids("models")[2:4]
    deleted = sum(each["model_id"] in {first, second} for each in registry.records("model-versions"))
    registry.delete_model(first)
    registry.delete_model(second)
    env.sync()
    move_back(env, timedelta(days=10))
    registry.restore(second)
    env.sync()
    data = read_data()
    assert count_events(data) == {
        "models created": 12, "models deleted": 2, "models restored": 1, "model_versions created": versions,
        "model_versions deleted": deleted,
        "model_versions restored": deleted - (versions - data.counts["model_versions"]),
    }  # fmt: skip
    today = data.made_at.date()
    days = Counter[Any]()
    for row in data.activity.daily_counts:
        if row["entity"] == "models":
            days[row["day"]] += row["created"] - row["deleted"] + row["restored"]
    # The source dates two creations after the first run, or not at all.
    assert days[str(today - timedelta(days=30))] == 2
    assert days[str(today - timedelta(days=10))] == -2
    assert days[str(today)] == 1
    grown = growth(data)
    assert grown is not None
    assert (grown.models[-1], grown.versions[-1]) == (data.counts["models"], data.counts["model_versions"])


def test_the_makeup_counts_a_model_once_whatever_its_patch_releases_and_authors(
    env: SyncEnv, read_data: ReadData
) -> None:
    registry = env.registry
    pythons = ("3.9.1", "3.9.18", "3.12")
    models = set[str]()
    versions = Counter[str]()
    for place, version in enumerate(registry.records("model-versions")):
        python = pythons[place % 3]
        environment = {"python_version": python, "pip_packages": ["numpy==2", "Numpy>1"]}
        registry.set_fields(version["id"], {"manifest": version["manifest"] | {"environment": environment}})
        minor = ".".join(python.split(".")[:2])
        models.add(version["model_id"])
        versions[minor] += 1
    model = registry.ids("models")[0]
    registry.set_fields(model, {"created_by_subject": None})
    for author_id in ("a", "b"):
        version = registry.add_version(model)
        author = {"subjectId": author_id, "subjectType": "user", "subjectSlug": author_id}
        registry.set_fields(version, {"created_by_subject": author, "manifest": {"framework": {"type": "rare"}}})
    env.sync()
    makeup = read_data().makeup
    (rare,) = (row for row in makeup.frameworks if row["name"] == "rare")
    assert (rare["models"], rare["versions"]) == (1, 2)
    assert {row["name"]: row["versions"] for row in makeup.pythons} == versions
    (numpy,) = makeup.packages.rows
    assert (numpy["name"], numpy["models"], numpy["versions"]) == ("numpy", len(models), versions.total())
    assert [(row["specifier"], row["versions"]) for row in makeup.specifiers] == [
        ("==2", versions.total()),
        (">1", versions.total()),
    ]


def test_metadata_unused_versions_and_former_creators_are_counted(env: SyncEnv, read_data: ReadData) -> None:
    registry = env.registry
    versions = without_production(registry)
    for version in versions:
        manifest = registry.get("model-versions", version)["manifest"]
        metadata = {".truefoundry": {"artifact_size": 1000}, "team": "a"}
        registry.set_fields(version, {"manifest": manifest | {"metadata": metadata}})
    latest = {each["latest_version"]["id"] for each in registry.records("models") if each["latest_version"]}
    unused = [each for each in versions if each not in latest]
    live, unsized = unused[:2]
    registry.set_tags(live, ["prod"])
    manifest = registry.get("model-versions", unsized)["manifest"]
    registry.set_fields(unsized, {"manifest": manifest | {"metadata": {"pii": True}}})
    deleted = registry.add_model("1", "gone")
    subject = {"subjectId": "gone", "subjectType": "user", "subjectSlug": "gone"}
    registry.set_fields(deleted, {"created_by_subject": subject})
    env.sync()
    registry.delete_model(deleted)
    env.sync()
    makeup = read_data().makeup
    assert makeup.cleanup == {
        "versions": len(unused) - 1,
        "artifact_size_bytes": 1000 * (len(unused) - 2),
        "versions_without_size": 1,
    }
    assert makeup.metadata_keys.total == 1
    assert makeup.metadata_keys.rows[0].items() >= {"name": "team", "versions": len(latest)}.items()
    assert makeup.former_authors == 1


def test_version_gaps_and_rejected_records_are_listed(env: SyncEnv, read_data: ReadData) -> None:
    registry, model = env.registry, env.registry.records("models")[4]
    middle = [each["id"] for each in registry.records("model-versions") if each["model_id"] == model["id"]][1]
    registry.delete_version(middle)
    registry.put_raw("models", registry.ids("models")[0], {"id": registry.ids("models")[0], "type": "model"})
    env.sync()
    history = read_data(with_repo_ids=True).history
    assert [(row["model_id"], row["missing_versions"]) for row in history.gaps.rows] == [(model["id"], 1)]
    assert history.rejects.total == len(history.rejects.rows) == 1
    assert history.rejects.rows[0]["reason"].startswith("it has neither name nor fqn")
    assert read_data(with_repo_ids=True).repo_ids[model["id"]] == model["ml_repo_id"]


def test_data_is_from_one_snapshot_while_a_run_commits(env: SyncEnv) -> None:
    env.sync()
    with queries.report.open_snapshot(env.url) as connection:
        before = queries.report.totals.counts(connection)
        env.registry.add_model("1", "appears")
        env.sync()
        assert queries.report.totals.counts(connection) == before
        assert queries.report.totals.changed_since(connection, datetime(2000, 1, 1, tzinfo=UTC)) == {}
    with queries.report.open_snapshot(env.url) as connection:
        assert queries.report.totals.counts(connection)["models"] == before["models"] + 1
