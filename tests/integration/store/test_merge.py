import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from etl.models import (
    Change,
    Model,
    ModelRunStep,
    ModelVersion,
    ModelVersionMetric,
    ModelVersionPackage,
    ModelVersionTag,
    Subject,
    VersionReadState,
)
from etl.store import open_engine
from tests.support.sync_env import SyncEnv


def test_change_updates_last_changed_at_and_keeps_first_seen_at(env: SyncEnv) -> None:
    env.sync()
    version = env.registry.ids("model-versions")[-1]
    before = env.row(ModelVersion, ModelVersion.id == version)
    env.registry.set_description(version, "Anew.")
    env.sync()
    after = env.row(ModelVersion, ModelVersion.id == version)

    assert before["first_seen_at"] == before["last_changed_at"] == after["first_seen_at"]
    assert after["last_changed_at"] > before["last_changed_at"]
    assert after["deleted_at"] is None


@pytest.mark.parametrize("written_by", ["first load", "change"])
def test_time_of_a_metric_is_exact_if_a_datetime_can_hold_it(env: SyncEnv, written_by: str) -> None:
    moments: dict[int, datetime | None] = {
        each: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=each)
        for each in (
            -62_135_596_800_000, -62_135_596_799_999, -86_400_001, -86_400_000, -1001, -1000, -999, -1, 0, 1, 999, 1000,
            1_714_557_600_001, 253_402_300_799_998, 253_402_300_799_999,
        )
    }  # fmt: skip
    moments |= dict.fromkeys((-(2**63), -62_135_596_800_001, 253_402_300_800_000, 2**63 - 1))
    version = env.registry.ids("model-versions")[0]
    if written_by == "change":
        env.sync()
    env.registry.set_fields(version, {"metrics": [{"key": "k", "value": 1, "timestamp": each} for each in moments]})
    env.sync()

    rows = env.rows(ModelVersionMetric, ModelVersionMetric.model_version_id == version)
    assert {row["timestamp_ms"]: row["logged_at"] for row in rows} == moments


def test_child_rows_of_a_changed_record_are_replaced(env: SyncEnv) -> None:
    env.sync()
    model, version = env.registry.ids("models")[0], env.registry.ids("model-versions")[2]
    record = env.registry.get("model-versions", version)
    environment = {"python_version": "3.12", "pip_packages": ["Torch_Vision >= 0.15, <1", "not one!"]}
    env.registry.set_fields(
        version,
        {
            "tags": ["b", "a", "b"],
            "metrics": [{"key": "k", "value": None}, {"key": "k", "value": 1, "timestamp": 0, "step": 5.0}],
            "manifest": record["manifest"] | {"environment": environment},
        },
    )
    env.registry.set_fields(model, {"run_steps": [7]})
    env.sync()

    tags, metrics, packages = (
        [{**row, "model_version_id": None} for row in env.rows(table, table.model_version_id == version)]
        for table in (ModelVersionTag, ModelVersionMetric, ModelVersionPackage)
    )
    assert [row["tag"] for row in tags] == ["b", "a"]
    assert [(row["position"], row["key"], row["value"], row["step"], row["timestamp_ms"]) for row in metrics] == [
        (0, "k", None, None, None),
        (1, "k", 1.0, 5, 0),
    ]
    assert [(row["requirement"], row["name"], row["specifier"]) for row in packages] == [
        ("Torch_Vision >= 0.15, <1", "torch-vision", "<1,>=0.15"),
        ("not one!", None, None),
    ]
    assert [row["step"] for row in env.rows(ModelRunStep, ModelRunStep.model_id == model)] == [7]
    assert env.held()["models"] == env.served()["models"]


def test_changed_record_causes_no_write_of_another(env: SyncEnv) -> None:
    env.sync()
    before = env.registry_dump()
    env.registry.set_tags(env.registry.records("models")[0]["latest_version"]["id"], ["new"], touch=False)
    env.sync()
    after = env.registry_dump()

    assert len(set(after["model_versions"]) - set(before["model_versions"])) == 1
    assert after["models"] == before["models"]
    assert after["subjects"] == before["subjects"]
    assert len(set(after["version_read_state"]) - set(before["version_read_state"])) == 1


@pytest.mark.parametrize(
    ("field", "old", "new"), [("type", "user", "robot"), ("slug", "a@b", None), ("extra", None, {"odd": 1})]
)
def test_subject_is_stored_as_in_the_newest_record(env: SyncEnv, field: str, old: Any, new: Any) -> None:
    names = {"type": "subjectType", "slug": "subjectSlug"}
    first, second = env.registry.ids("model-versions")[:2]

    def subject(value: Any) -> dict[str, Any]:
        return {"subjectId": "s"} | ({names[field]: value} if field in names else value or {})

    env.registry.set_fields(
        first, {"created_by_subject": subject(new), "updated_at": "2025-01-02T00:00:00Z"}, touch=False
    )
    env.registry.set_fields(
        second, {"created_by_subject": subject(old), "updated_at": "2025-01-01T00:00:00Z"}, touch=False
    )
    env.sync()

    assert env.row(Subject, Subject.id == "s")[field] == new


def test_changes_are_recorded_field_by_field(env: SyncEnv) -> None:
    version = env.registry.records("model-versions")[-1]
    env.registry.set_tags(version["id"], ["old", "kept"])
    env.sync()
    env.registry.set_tags(version["id"], ["kept", "new"], touch=False)
    env.registry.set_alias(version["id"], "v9", touch=False)
    env.registry.set_fields(version["model_id"], {"name": "renamed"}, touch=False)
    summary = env.sync()

    changes = env.rows(Change)
    assert {row["run_id"] for row in changes} == {summary.run_id}
    assert sorted((r["entity"], r["kind"], r["field"], r["old_value"], r["new_value"]) for r in changes) == [
        ("model_versions", "tag_added", "tags", None, "new"),
        ("model_versions", "tag_removed", "tags", "old", None),
        ("model_versions", "updated", "version_alias", version["manifest"]["version_alias"], "v9"),
        (
            "models",
            "updated",
            "name",
            env.registry.get("models", version["model_id"])["fqn"].split("/")[-1],
            "renamed",
        ),
    ]


def test_created_and_deleted_records_are_recorded_once(env: SyncEnv) -> None:
    env.sync()
    deleted = env.registry.ids("models")[0]
    env.registry.delete_model(deleted)
    added = env.registry.add_model("1")
    version = env.registry.add_version(added)
    env.sync()
    env.sync()

    changes = [(row["entity_id"], row["kind"]) for row in env.rows(Change, Change.entity == "models")]
    assert sorted(changes) == sorted([(deleted, "deleted"), (added, "created")])
    created = env.rows(Change, Change.entity == "model_versions", Change.kind == "created")
    assert [row["entity_id"] for row in created] == [version]


def test_change_hash_of_a_model_is_stored_when_its_versions_are_read(env: SyncEnv) -> None:
    env.sync()
    before = {row["model_id"]: row["change_hash"] for row in env.rows(VersionReadState)}
    changed = env.registry.ids("models")[0]
    env.registry.add_version(changed, touch=False)
    env.sync()
    after = {row["model_id"]: row["change_hash"] for row in env.rows(VersionReadState)}

    assert before.keys() == after.keys() == {row["id"] for row in env.rows(Model)}
    assert [model for model in before if before[model] != after[model]] == [changed]


def test_reader_never_sees_a_part_of_a_run(env: SyncEnv) -> None:
    env.sync()
    for model in env.registry.ids("models"):
        env.registry.set_fields(model, {"name": "second"})
        env.registry.add_version(model)
    seen: set[tuple[int, int, int]] = set()
    stop = threading.Event()

    def read() -> None:
        engine = open_engine(env.url)
        query = text(
            "SELECT (SELECT COUNT(*) FROM models WHERE name = 'second'), (SELECT COUNT(*) FROM model_versions), "
            "(SELECT COUNT(*) FROM changes WHERE kind = 'created')"
        )
        with engine.connect() as connection:
            while not stop.is_set():
                seen.add(tuple(connection.execute(query).one()))
                connection.rollback()
        engine.dispose()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        env.sync()
    finally:
        stop.set()
        reader.join()

    assert seen <= {(0, 36, 0), (12, 48, 12)}
    assert (0, 36, 0) in seen


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_first_load_updates_the_statistics_that_plans_of_views_need(env: SyncEnv) -> None:
    tables = {"model_version_metrics": ModelVersionMetric, "models": Model, "subjects": Subject}

    def row_estimates() -> dict[str, float]:
        with env.connection() as connection:
            found = connection.execute(text("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'"))
            return {name: tuples for name, tuples in found if name in tables}

    assert {*row_estimates().values()} <= {-1.0, 0.0}
    env.sync()
    assert row_estimates() == {name: len(env.rows(table)) for name, table in tables.items()}
