from datetime import datetime, timedelta
from typing import Any

import pytest

from etl.models import Change, ModelVersion, PrunedHistory, SyncRun, views
from etl.store import open_readonly, rejected_records
from etl.sync import Interrupts, RejectedRetry, run
from tests.integration.history.test_properties import DEEP
from tests.support.history_oracle import as_of, prune, stretches
from tests.support.sync_env import Silent, SyncEnv


def sync(env: SyncEnv, **given: Any) -> datetime:
    """Sync, and return the start of the run."""
    env.sync(allow_mass_delete=True, **given)
    starts: list[datetime] = [row["started_at"] for row in env.rows(SyncRun)]
    return max(starts)


def versions(env: SyncEnv) -> list[str]:
    """Return two versions of each model, oldest first."""
    return env.registry.ids("model-versions")


def tag(env: SyncEnv, version: str, *tags: str) -> None:
    env.registry.set_tags(version, list(tags))


def test_tag_of_a_first_load_starts_at_that_run_and_is_not_exact(env: SyncEnv) -> None:
    version = versions(env)[0]
    tag(env, version, "prod")
    first = sync(env)
    tag(env, version)
    second = sync(env)

    assert stretches(env, version) == [("prod", first, False, second)]


def test_tag_that_moves_ends_at_one_version_when_it_starts_at_the_other(env: SyncEnv) -> None:
    one, other = versions(env)[:2]
    sync(env)
    tag(env, one, "prod")
    added = sync(env)
    tag(env, one)
    tag(env, other, "prod")
    moved = sync(env)

    assert stretches(env, one) == [("prod", added, True, moved)]
    assert stretches(env, other) == [("prod", moved, True, None)]


def test_tag_set_again_has_a_new_period(env: SyncEnv) -> None:
    version = versions(env)[0]
    tag(env, version, "prod")
    first = sync(env)
    tag(env, version)
    removed = sync(env)
    tag(env, version, "prod")
    added_again = sync(env)

    assert stretches(env, version) == [("prod", first, False, removed), ("prod", added_again, True, None)]


def test_tags_that_differ_in_case_have_separate_periods(env: SyncEnv) -> None:
    version = versions(env)[0]
    tag(env, version, "prod")
    first = sync(env)
    tag(env, version, "Prod")
    second = sync(env)

    assert stretches(env, version) == [("prod", first, False, second), ("Prod", second, True, None)]


def test_later_version_has_exact_periods_of_tags_and_alias(env: SyncEnv) -> None:
    sync(env)
    version = env.registry.add_version(env.registry.ids("models")[0])
    tag(env, version, "prod")
    env.registry.set_alias(version, "v3-best")
    created = sync(env)

    assert stretches(env, version) == [("prod", created, True, None)]
    assert stretches(env, version, views.alias_history) == [("v3-best", created, True, None)]


@pytest.mark.parametrize("kind", ["version", "model"])
def test_delete_ends_periods_and_restore_starts_new_ones(env: SyncEnv, kind: str) -> None:
    version = versions(env)[0]
    record = version if kind == "version" else env.registry.ids("models")[0]
    tag(env, version, "prod")
    env.registry.set_alias(version, "v1-best")
    first = sync(env)
    (env.registry.delete_version if kind == "version" else env.registry.delete_model)(record)
    deleted = sync(env)
    while_deleted = stretches(env, version)
    env.registry.restore(record)
    env.registry.touch(record)
    restored = sync(env)

    assert while_deleted == [("prod", first, False, deleted)]
    assert stretches(env, version) == [("prod", first, False, deleted), ("prod", restored, True, None)]
    assert stretches(env, version, views.alias_history) == [
        ("v1-best", first, False, deleted), ("v1-best", restored, True, None),
    ]  # fmt: skip


def test_label_missing_after_a_restore_ended_at_the_delete(env: SyncEnv) -> None:
    version = versions(env)[0]
    tag(env, version, "prod", "old")
    env.registry.set_alias(version, "v1-old")
    first = sync(env)
    env.registry.delete_version(version)
    deleted = sync(env)
    env.registry.restore(version)
    tag(env, version, "prod", "new")
    env.registry.set_alias(version, "v1-new")
    restored = sync(env)

    assert stretches(env, version) == [
        ("old", first, False, deleted),
        ("prod", first, False, deleted),
        ("new", restored, True, None),
        ("prod", restored, True, None),
    ]
    assert stretches(env, version, views.alias_history) == [
        ("v1-old", first, False, deleted), ("v1-new", restored, True, None),
    ]  # fmt: skip


def test_alias_ends_when_another_replaces_it(env: SyncEnv) -> None:
    version = versions(env)[0]
    sync(env)
    env.registry.set_alias(version, "v1-a")
    a = sync(env)
    env.registry.set_alias(version, "v1-b")
    b = sync(env)
    env.registry.set_alias(version, None)
    none = sync(env)

    assert stretches(env, version, views.alias_history) == [("v1-a", a, True, b), ("v1-b", b, True, none)]


def test_run_over_one_ml_repo_changes_only_its_history(env: SyncEnv) -> None:
    one, _, other, _ = versions(env)
    tag(env, one, "prod")
    tag(env, other, "prod")
    first = sync(env)
    tag(env, one)
    tag(env, other)
    second = sync(env, ml_repo=("2",))

    assert stretches(env, one) == [("prod", first, False, None)]
    assert stretches(env, other) == [("prod", first, False, second)]


def test_a_first_load_of_another_ml_repo_is_not_exact_either(env: SyncEnv) -> None:
    one, _, other, _ = versions(env)
    tag(env, one, "prod")
    tag(env, other, "prod")
    first = sync(env, ml_repo=("1",))
    second = sync(env, ml_repo=("2",))

    assert stretches(env, one) == [("prod", first, False, None)]
    assert stretches(env, other) == [("prod", second, False, None)]


def test_period_with_a_pruned_start_begins_at_the_last_pruned_change_and_is_not_exact(env: SyncEnv) -> None:
    one, two, untouched, changed = versions(env)
    tag(env, untouched, "prod")
    first = sync(env)
    tag(env, one, "prod", "old")
    tag(env, two, "prod")
    added = sync(env)
    tag(env, changed, "other")
    pruned = sync(env)
    tag(env, one, "prod")
    horizon = sync(env)
    prune(env, horizon)

    assert [row["newest_change_at"] for row in env.rows(PrunedHistory)] == [pruned]
    assert stretches(env, one) == [("old", pruned, False, horizon), ("prod", pruned, False, None)]
    assert stretches(env, two) == [("prod", added, False, None)]  # it never changed again
    assert stretches(env, untouched) == [("prod", first, False, None)]
    prune(env, first)
    assert [row["newest_change_at"] for row in env.rows(PrunedHistory)] == [pruned]


def test_pruning_removes_ended_periods_and_times_of_past_deletes(env: SyncEnv) -> None:
    restored, deleted = versions(env)[:2]
    tag(env, restored, "prod")
    tag(env, deleted, "prod")
    sync(env)
    env.registry.delete_version(restored)
    env.registry.delete_version(deleted)
    sync(env)
    env.registry.restore(restored)
    env.registry.touch(restored)
    restore = sync(env)
    prune(env, restore)

    assert stretches(env, restored) == [("prod", restore, True, None)]
    assert stretches(env, deleted) == []


def test_changes_are_ordered_by_writing_even_if_the_clock_was_set_back(env: SyncEnv) -> None:
    version = versions(env)[0]
    sync(env)
    tag(env, version, "prod")
    added = sync(env)
    tag(env, version)
    sync(env)
    removed = added - timedelta(hours=1)
    env.execute(f"UPDATE changes SET observed_at = '{removed:%Y-%m-%d %H:%M:%S.%f}' WHERE kind = 'tag_removed'")  # noqa: S608 a time

    ((label, valid_from, is_exact, valid_to),) = stretches(env, version)
    assert (label, valid_from, is_exact, valid_to is None) == ("prod", added, True, False)


def test_the_timeline_of_a_model_has_its_own_changes_and_those_of_its_versions(env: SyncEnv) -> None:
    model, other = env.registry.ids("models")
    first, second, of_other, _ = versions(env)
    sync(env)
    tag(env, first, "prod")
    env.registry.set_fields(model, {"name": "renamed"})
    at = sync(env)
    env.registry.delete_version(second)
    tag(env, of_other, "prod")
    later = sync(env)
    view = views.model_timeline
    rows = env.rows(view, view.c.model_id == model, view.c.field.is_distinct_from("updated_at"))
    names = ("observed_at", "model_name", "entity", "entity_id", "version", "kind", "field", "old_value")
    events = [tuple(row[name] for name in names) for row in rows]

    assert (at, "renamed", "model_versions", first, 1, "tag_added", "tags", None) in events
    assert (later, "renamed", "model_versions", second, 2, "deleted", None, None) in events
    assert [row[1:7] for row in events if row[2] == "models" and row[6] == "name"] == [
        ("renamed", "models", model, None, "updated", "name")
    ]
    assert of_other not in {row[3] for row in events}
    assert [row["entity_id"] for row in env.rows(view, view.c.model_id == other, view.c.kind == "tag_added")] == [
        of_other
    ]


def test_every_change_has_a_row_even_after_restores_and_rejections(
    env: SyncEnv,
) -> None:
    restored, _, rejected, retried = versions(env)
    sync(env)
    env.registry.delete_version(restored)
    env.registry.set_fields(rejected, {"deep": DEEP})
    env.registry.set_fields(retried, {"deep": DEEP})
    sync(env)
    env.registry.restore(restored)
    for version in (restored, rejected, retried):
        env.registry.set_fields(version, {"deep": None, "tags": ["new"], "metrics": [{"key": "new", "value": 1}]})
        manifest = env.registry.get("model-versions", version)["manifest"] | {
            "description": "new", "version_alias": "v9-new", "framework": {"type": "new"},
            "environment": {"python_version": "3.13", "pip_packages": ["new==1"]},
        }  # fmt: skip
        env.registry.set_fields(version, {"manifest": manifest})
    with open_readonly(env.url) as connection:
        of_retried = [
            each
            for each in rejected_records.list_rejected(connection, also_resolved=False)
            if each.record_id == retried
        ]
    run(env.settings(), interrupts=Interrupts(), progress=Silent(), retry=RejectedRetry(of_retried))
    sync(env)

    changed = {"tags", "metrics.new", "description", "version_alias", "framework_type", "packages.new"}
    for version in (restored, rejected, retried):
        rows = env.rows(Change, Change.entity_id == version)
        news = {row["field"]: row["new_value"] for row in rows if row["new_value"] is not None}
        assert news.keys() >= changed
        assert news["packages.new"] == "new==1"
    kinds = [row["kind"] for row in env.rows(Change, Change.entity_id == restored, Change.field.is_(None))]
    assert kinds == ["deleted", "restored"]
    assert env.held() == env.served()


def test_as_of_returns_names_numbers_and_aliases_as_they_were(env: SyncEnv) -> None:
    model, version = env.registry.ids("models")[0], versions(env)[0]
    tag(env, version, "a", "b")
    first = sync(env)
    manifest = env.registry.get("model-versions", version)["manifest"]
    env.registry.set_fields(version, {"manifest": manifest | {"version": 7, "version_alias": "v7"}, "tags": ["c"]})
    env.registry.set_fields(model, {"name": "renamed"})
    second = sync(env)

    assert as_of(env, first)[version] == (1, None, frozenset({"a", "b"}))
    assert as_of(env, second)[version] == (7, "v7", frozenset({"c"}))
    assert len(as_of(env, second)) == len(env.rows(ModelVersion)) == 4
    assert as_of(env, first - timedelta(seconds=1)) == {}
