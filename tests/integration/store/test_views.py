from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, update

from etl.models import Model, ModelVersion, views
from etl.store import engine_scope
from tests.support.sync_env import SyncEnv

NOW = datetime(2026, 5, 1, tzinfo=UTC)
STORED: dict[str, Any] = {"content_hash": "", "first_seen_at": NOW, "last_changed_at": NOW}


def test_current_models_show_repo_creator_and_latest_version(env: SyncEnv) -> None:
    model = env.registry.records("models")[0]
    latest = model["latest_version"]
    env.registry.set_tags(latest["id"], ["b", "a"])
    env.registry.delete_version(env.registry.ids("model-versions")[0])
    env.sync()
    view = env.row(views.current_models, views.current_models.c.id == model["id"])

    assert view["ml_repo_name"] == env.registry.get("ml-repos", "1")["manifest"]["name"]
    subject = model["created_by_subject"]
    assert view["created_by"] == (subject["subjectDisplayName"] or subject["subjectSlug"])
    assert (view["latest_version"], view["latest_version_id"]) == (3, latest["id"])
    assert view["version_alias"] == latest["manifest"]["version_alias"]
    assert (view["tags"], view["version_count"]) == ("b, a", 2)


def test_current_models_show_empty_ones_and_leave_out_deleted_ones(env: SyncEnv) -> None:
    empty = env.registry.add_model("1")
    env.sync()
    deleted = env.registry.ids("models")[0]
    env.registry.delete_model(deleted)
    env.sync()
    rows = {row["id"]: row for row in env.rows(views.current_models)}

    assert rows.keys() == set(env.registry.ids("models"))
    assert (rows[empty]["latest_version"], rows[empty]["tags"], rows[empty]["version_count"]) == (None, None, 0)


def test_current_versions_mark_the_latest_and_leave_out_deleted_ones(env: SyncEnv) -> None:
    env.sync()
    env.registry.delete_model(env.registry.ids("models")[0])
    env.sync()
    rows = env.rows(views.current_model_versions)

    assert {row["id"] for row in rows} == set(env.registry.ids("model-versions"))
    assert {row["id"] for row in rows if row["is_latest"]} == {
        model["latest_version"]["id"] for model in env.registry.records("models")
    }


def test_tag_assignments_show_the_versions_that_have_a_tag_now(env: SyncEnv) -> None:
    first, second, third = env.registry.ids("model-versions")[:3]
    env.registry.set_tags(first, ["here"])
    env.registry.set_tags(second, ["here", "Here"])
    env.registry.set_tags(third, ["here"])
    env.sync()
    env.registry.set_tags(first, [])
    env.registry.delete_version(third)
    env.sync()
    rows = env.rows(views.tag_assignments, views.tag_assignments.c.tag == "here")

    assert [(row["model_version_id"], row["version"]) for row in rows] == [(second, 2)]


def test_latest_metrics_show_the_last_value_of_each_key(env: SyncEnv) -> None:
    version = env.registry.ids("model-versions")[0]
    env.registry.set_fields(
        version,
        {
            "metrics": [
                {"key": "loss", "value": 3.0, "step": 2, "timestamp": 1},
                {"key": "loss", "value": 1.0, "step": 10, "timestamp": 5},
                {"key": "loss", "value": float("nan"), "step": 10, "timestamp": 9},
                {"key": "loss", "value": 9.0, "timestamp": 99},
                {"key": "auc", "value": 0.5},
                {"key": "auc", "value": 0.6},
            ]
        },
    )
    env.sync()
    view = views.latest_metrics
    rows = {row["key"]: row for row in env.rows(view, view.c.model_version_id == version)}

    assert {key: (row["value"], row["value_special"], row["step"]) for key, row in rows.items()} == {
        "loss": (None, "NaN", 10),
        "auc": (0.6, None, None),
    }
    assert {row["model_version_id"] for row in env.rows(view)} == {row["id"] for row in env.rows(ModelVersion)}


@pytest.mark.parametrize(
    ("live", "deleted", "expected"),
    [
        ([1, 2, 3], [], (3, 3, 0)),
        ([2, 4], [], (4, 2, 2)),
        ([7], [], (7, 1, 6)),
        ([1, 4], [2], (4, 2, 1)),
        ([1], [3], (3, 1, 1)),
        ([], [2], (2, 0, 1)),
        ([1, 1, 3], [3], (3, 3, 1)),
        ([0, -5], [], (0, 2, 0)),
        ([-(2**63)], [], (-(2**63), 1, 0)),
        ([2**63 - 1], [], (2**63 - 1, 1, 2**63 - 2)),
        ([None, 2], [], (2, 2, 1)),
        ([None], [], (None, 1, 0)),
        ([], [], (None, 0, 0)),
    ],
)
def test_version_coverage_counts_the_gaps_among_all_numbers_ever_stored(
    migrated_url: str, live: list[int | None], deleted: list[int], expected: tuple[int | None, int, int]
) -> None:
    numbers = [(number, None) for number in live] + [(number, NOW) for number in deleted]
    versions = [
        STORED | {"id": f"v{place}", "model_id": "m", "version": number, "deleted_at": deleted_at}
        for place, (number, deleted_at) in enumerate(numbers)
    ]
    with engine_scope(migrated_url) as engine, engine.connect() as connection:
        connection.execute(insert(Model).values(STORED | {"id": "m"}))
        for version in versions:
            connection.execute(insert(ModelVersion).values(version))
        row = connection.execute(views.version_coverage.select()).one()

    assert (row.model_id, row.highest_version, row.stored_versions, row.missing_versions) == ("m", *expected)


def test_views_of_live_versions_show_superseded_at(env: SyncEnv) -> None:
    superseded, kept = env.registry.ids("model-versions")[:2]
    for each in (superseded, kept):
        env.registry.set_tags(each, ["prod"])
    env.sync()
    with env.connection() as connection:
        connection.execute(update(ModelVersion).where(ModelVersion.id == superseded).values(superseded_at=NOW))
    rows = env.rows(views.current_model_versions)

    assert {row["id"]: row["superseded_at"] for row in rows if row["superseded_at"]} == {superseded: NOW}
    for view in (views.production_versions, views.tag_assignments):
        found = {row["model_version_id"]: row["superseded_at"] for row in env.rows(view, view.c.tag == "prod")}
        assert (found[superseded], found[kept]) == (NOW, None)


def test_storage_by_month_counts_no_version_from_a_month_after_its_deletion(env: SyncEnv) -> None:
    version = env.registry.add_version(env.registry.add_model("1"))
    env.registry.set_fields(version, {"created_at": "2999-01-01T00:00:00Z"})
    env.sync()
    env.registry.delete_version(version)
    env.sync(allow_mass_delete=True, full=True)

    rows = env.rows(views.storage_by_month)
    assert all(row["versions"] >= 0 for row in rows)
    assert max(row["month"] for row in rows) < "2999"
