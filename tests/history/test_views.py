import sqlite3
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from etl.models import Change, ModelVersion, SyncRun, views
from etl.store import open_readonly, rejected_records
from etl.sync import Interrupts, RejectedRetry, run
from tests.history.test_properties import DEEP
from tests.support.databases import libpq
from tests.support.history_oracle import AS_OF, as_of, prune, stretches
from tests.support.sync_env import Silent, SyncEnv


def synced(mirror: SyncEnv, **given: Any) -> datetime:
    """Sync, and return the start of the run."""
    mirror.sync(allow_mass_delete=True, **given)
    starts: list[datetime] = [row["started_at"] for row in mirror.rows(SyncRun)]
    return max(starts)


def versions(mirror: SyncEnv) -> list[str]:
    """Return two versions of each model, oldest first."""
    return mirror.registry.ids("model-versions")


def tag(mirror: SyncEnv, version: str, *tags: str) -> None:
    mirror.registry.set_tags(version, list(tags))


def test_tag_of_a_first_load_starts_at_first_sight_and_is_not_exact(mirror: SyncEnv) -> None:
    version = versions(mirror)[0]
    tag(mirror, version, "prod")
    first = synced(mirror)
    tag(mirror, version)
    second = synced(mirror)

    assert stretches(mirror, version) == [("prod", first, False, second)]


def test_a_tag_that_moves_ends_at_one_version_when_it_begins_at_the_other(mirror: SyncEnv) -> None:
    one, other = versions(mirror)[:2]
    synced(mirror)
    tag(mirror, one, "prod")
    given = synced(mirror)
    tag(mirror, one)
    tag(mirror, other, "prod")
    moved = synced(mirror)

    assert stretches(mirror, one) == [("prod", given, True, moved)]
    assert stretches(mirror, other) == [("prod", moved, True, None)]


def test_tag_set_again_has_a_new_period(mirror: SyncEnv) -> None:
    version = versions(mirror)[0]
    tag(mirror, version, "prod")
    first = synced(mirror)
    tag(mirror, version)
    gone = synced(mirror)
    tag(mirror, version, "prod")
    back = synced(mirror)

    assert stretches(mirror, version) == [("prod", first, False, gone), ("prod", back, True, None)]


def test_tags_that_differ_in_case_are_two(mirror: SyncEnv) -> None:
    version = versions(mirror)[0]
    tag(mirror, version, "prod")
    first = synced(mirror)
    tag(mirror, version, "Prod")
    second = synced(mirror)

    assert stretches(mirror, version) == [("prod", first, False, second), ("Prod", second, True, None)]


def test_later_version_has_exact_periods_of_tags_and_alias(mirror: SyncEnv) -> None:
    synced(mirror)
    version = mirror.registry.add_version(mirror.registry.ids("models")[0])
    tag(mirror, version, "prod")
    mirror.registry.set_alias(version, "v3-best")
    came = synced(mirror)

    assert stretches(mirror, version) == [("prod", came, True, None)]
    assert stretches(mirror, version, views.alias_history) == [("v3-best", came, True, None)]


@pytest.mark.parametrize("what", ["version", "model"])
def test_delete_ends_periods_and_restore_starts_new_ones(mirror: SyncEnv, what: str) -> None:
    version = versions(mirror)[0]
    missing_ids = version if what == "version" else mirror.registry.ids("models")[0]
    tag(mirror, version, "prod")
    mirror.registry.set_alias(version, "v1-best")
    first = synced(mirror)
    (mirror.registry.delete_version if what == "version" else mirror.registry.delete_model)(missing_ids)
    gone = synced(mirror)
    while_gone = stretches(mirror, version)
    mirror.registry.restore(missing_ids)
    mirror.registry.touch(missing_ids)
    back = synced(mirror)

    assert while_gone == [("prod", first, False, gone)]
    assert stretches(mirror, version) == [("prod", first, False, gone), ("prod", back, True, None)]
    assert stretches(mirror, version, views.alias_history) == [
        ("v1-best", first, False, gone), ("v1-best", back, True, None),
    ]  # fmt: skip


def test_label_missing_after_a_restore_ended_at_the_delete(mirror: SyncEnv) -> None:
    version = versions(mirror)[0]
    tag(mirror, version, "prod", "old")
    mirror.registry.set_alias(version, "v1-old")
    first = synced(mirror)
    mirror.registry.delete_version(version)
    gone = synced(mirror)
    mirror.registry.restore(version)
    tag(mirror, version, "prod", "new")
    mirror.registry.set_alias(version, "v1-new")
    back = synced(mirror)

    assert stretches(mirror, version) == [
        ("old", first, False, gone),
        ("prod", first, False, gone),
        ("new", back, True, None),
        ("prod", back, True, None),
    ]
    assert stretches(mirror, version, views.alias_history) == [
        ("v1-old", first, False, gone), ("v1-new", back, True, None),
    ]  # fmt: skip


def test_an_alias_ends_when_another_takes_its_place(mirror: SyncEnv) -> None:
    version = versions(mirror)[0]
    synced(mirror)
    mirror.registry.set_alias(version, "v1-a")
    a = synced(mirror)
    mirror.registry.set_alias(version, "v1-b")
    b = synced(mirror)
    mirror.registry.set_alias(version, None)
    none = synced(mirror)

    assert stretches(mirror, version, views.alias_history) == [("v1-a", a, True, b), ("v1-b", b, True, none)]


def test_a_run_over_one_ml_repo_moves_the_history_of_that_one_alone(mirror: SyncEnv) -> None:
    one, _, other, _ = versions(mirror)
    tag(mirror, one, "prod")
    tag(mirror, other, "prod")
    first = synced(mirror)
    tag(mirror, one)
    tag(mirror, other)
    second = synced(mirror, ml_repo=("2",))

    assert stretches(mirror, one) == [("prod", first, False, None)]
    assert stretches(mirror, other) == [("prod", first, False, second)]


def test_a_first_load_of_another_ml_repo_is_not_exact_either(mirror: SyncEnv) -> None:
    one, _, other, _ = versions(mirror)
    tag(mirror, one, "prod")
    tag(mirror, other, "prod")
    first = synced(mirror, ml_repo=("1",))
    second = synced(mirror, ml_repo=("2",))

    assert stretches(mirror, one) == [("prod", first, False, None)]
    assert stretches(mirror, other) == [("prod", second, False, None)]


def test_period_with_a_pruned_start_begins_at_first_sight_and_is_not_exact(mirror: SyncEnv) -> None:
    version = versions(mirror)[0]
    first = synced(mirror)
    tag(mirror, version, "prod", "old")
    synced(mirror)
    tag(mirror, version, "prod")
    horizon = synced(mirror)
    prune(mirror, horizon)

    assert stretches(mirror, version) == [("old", first, False, horizon), ("prod", first, False, None)]


def test_pruning_removes_ended_periods_and_times_of_past_deletes(mirror: SyncEnv) -> None:
    back_again, still_gone = versions(mirror)[:2]
    tag(mirror, back_again, "prod")
    tag(mirror, still_gone, "prod")
    first = synced(mirror)
    mirror.registry.delete_version(back_again)
    mirror.registry.delete_version(still_gone)
    gone = synced(mirror)
    mirror.registry.restore(back_again)
    mirror.registry.touch(back_again)
    back = synced(mirror)
    prune(mirror, back)

    assert stretches(mirror, back_again) == [("prod", back, True, None)]
    assert stretches(mirror, still_gone) == [("prod", first, False, gone)]


def test_changes_are_ordered_by_writing_even_if_the_clock_was_set_back(mirror: SyncEnv) -> None:
    version = versions(mirror)[0]
    synced(mirror)
    tag(mirror, version, "prod")
    given = synced(mirror)
    tag(mirror, version)
    synced(mirror)
    removed = given - timedelta(hours=1)
    mirror.execute(f"UPDATE changes SET observed_at = '{removed:%Y-%m-%d %H:%M:%S.%f}' WHERE kind = 'tag_removed'")  # noqa: S608 a time

    ((what, valid_from, is_exact, valid_to),) = stretches(mirror, version)
    assert (what, valid_from, is_exact, valid_to is None) == ("prod", given, True, False)


def test_the_timeline_of_a_model_has_its_own_changes_and_those_of_its_versions(mirror: SyncEnv) -> None:
    model, other = mirror.registry.ids("models")
    first, second, of_other, _ = versions(mirror)
    synced(mirror)
    tag(mirror, first, "prod")
    mirror.registry.set_fields(model, {"name": "renamed"})
    at = synced(mirror)
    mirror.registry.delete_version(second)
    tag(mirror, of_other, "prod")
    later = synced(mirror)
    view = views.model_timeline
    rows = mirror.rows(view, view.c.model_id == model, view.c.field.is_distinct_from("updated_at"))
    names = ("observed_at", "model_name", "entity", "entity_id", "version", "kind", "field", "old_value")
    events = [tuple(row[name] for name in names) for row in rows]

    assert (at, "renamed", "model_versions", first, 1, "tag_added", "tags", None) in events
    assert (later, "renamed", "model_versions", second, 2, "deleted", None, None) in events
    assert [row[1:7] for row in events if row[2] == "models" and row[6] == "name"] == [
        ("renamed", "models", model, None, "updated", "name")
    ]
    assert of_other not in {row[3] for row in events}
    assert [row["entity_id"] for row in mirror.rows(view, view.c.model_id == other, view.c.kind == "tag_added")] == [
        of_other
    ]


def test_every_move_has_a_row_also_after_restores_and_rejections(
    mirror: SyncEnv,
) -> None:
    restored, _, rejected, retried = versions(mirror)
    synced(mirror)
    mirror.registry.delete_version(restored)
    mirror.registry.set_fields(rejected, {"deep": DEEP})
    mirror.registry.set_fields(retried, {"deep": DEEP})
    synced(mirror)
    mirror.registry.restore(restored)
    for version in (restored, rejected, retried):
        mirror.registry.set_fields(version, {"deep": None, "tags": ["new"], "metrics": [{"key": "new", "value": 1}]})
        manifest = mirror.registry.get("model-versions", version)["manifest"] | {
            "description": "new", "version_alias": "v9-new", "framework": {"type": "new"},
            "environment": {"python_version": "3.13", "pip_packages": ["new==1"]},
        }  # fmt: skip
        mirror.registry.set_fields(version, {"manifest": manifest})
    with open_readonly(mirror.url) as connection:
        of_retried = [
            each for each in rejected_records.listed(connection, also_resolved=False) if each.record_id == retried
        ]
    run(mirror.settings(), interrupts=Interrupts(), progress=Silent(), retry=RejectedRetry(of_retried))
    synced(mirror)

    moved = {"tags", "metrics.new", "description", "version_alias", "framework_type", "packages.new"}
    for version in (restored, rejected, retried):
        rows = mirror.rows(Change, Change.entity_id == version)
        news = {row["field"]: row["new_value"] for row in rows if row["new_value"] is not None}
        assert news.keys() >= moved
        assert news["packages.new"] == "new==1"
    kinds = [row["kind"] for row in mirror.rows(Change, Change.entity_id == restored, Change.field.is_(None))]
    assert kinds == ["deleted", "restored"]
    assert mirror.held() == mirror.served()


def test_as_of_gives_names_numbers_and_aliases_as_they_were(mirror: SyncEnv) -> None:
    model, version = mirror.registry.ids("models")[0], versions(mirror)[0]
    tag(mirror, version, "a", "b")
    first = synced(mirror)
    manifest = mirror.registry.get("model-versions", version)["manifest"]
    mirror.registry.set_fields(version, {"manifest": manifest | {"version": 7, "version_alias": "v7"}, "tags": ["c"]})
    mirror.registry.set_fields(model, {"name": "renamed"})
    second = synced(mirror)

    assert as_of(mirror, first)[version] == (1, None, frozenset({"a", "b"}))
    assert as_of(mirror, second)[version] == (7, "v7", frozenset({"c"}))
    assert len(as_of(mirror, second)) == len(mirror.rows(ModelVersion)) == 4
    assert as_of(mirror, first - timedelta(seconds=1)) == {}


def test_as_of_accepts_text_times_from_plain_drivers(mirror: SyncEnv) -> None:
    version = versions(mirror)[0]
    tag(mirror, version, "prod")
    first = synced(mirror)
    tag(mirror, version)
    synced(mirror)
    found = by_driver(mirror, f"{first:%Y-%m-%d %H:%M:%S.%f}+00")
    tags = {row[3]: row[6] for row in found}

    assert tags == dict.fromkeys(versions(mirror)) | {version: "prod"}


def by_driver(mirror: SyncEnv, at: str) -> list[Any]:
    """Bind the time as docs/history.md describes."""
    if mirror.url.startswith("sqlite"):
        return sqlite3.connect(str(make_url(mirror.url).database)).execute(AS_OF, {"at": at}).fetchall()
    with psycopg.connect(libpq(mirror.url)) as connection:
        return connection.execute(AS_OF.replace(":at", "%(at)s").encode(), {"at": at}).fetchall()
