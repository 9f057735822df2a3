"""The periods of versions in production, and how exactly they are known."""

from datetime import datetime
from typing import Any

import pytest

from etl.models import ModelVersion, ProductionWord, SyncRun, views
from tests.support.history_oracle import answers, prune
from tests.support.sync_env import Row, SyncEnv


def sync(env: SyncEnv, **given: Any) -> datetime:
    """Compare every version, and return the start of the run."""
    env.sync(allow_mass_delete=True, **{"full": True} | given)
    starts: list[datetime] = [row["started_at"] for row in env.rows(SyncRun)]
    return max(starts)


def tag(env: SyncEnv, version: str, *tags: str) -> None:
    env.registry.set_tags(version, list(tags), touch=False)


def history(env: SyncEnv, *names: str) -> list[tuple[Any, ...]]:
    rows = env.rows(views.production_history)
    rows.sort(key=lambda row: (row["valid_from"], row["version"] or 0))
    return [tuple(row[name] for name in names) for row in rows]


def now_in_production(env: SyncEnv) -> dict[str, Row]:
    return {row["tag"]: row for row in env.rows(views.production_versions)}


def test_periods_of_labels_that_overlap_or_touch_are_one_period(env: SyncEnv) -> None:
    version = env.registry.ids("model-versions")[0]
    sync(env)
    tag(env, version, "prod")
    entered = sync(env)
    tag(env, version, "prod", "Champion", "other")
    champion = sync(env)
    tag(env, version, "Champion")
    sync(env)
    tag(env, version)
    env.registry.set_alias(version, "v1-live", touch=False)  # in the run that finds Champion removed
    alias = sync(env)

    assert history(env, "labels", "valid_from", "valid_to") == [("prod, Champion, v1-live", entered, None)]
    row = now_in_production(env)["v1-live"]
    assert (row["since_at"], row["since_is_exact"]) == (entered, True)
    assert (row["label_since_at"], row["label_since_is_exact"]) == (alias, True)
    assert champion < alias

    env.registry.set_alias(version, None, touch=False)
    left = sync(env)
    tag(env, version, "prod")
    back = sync(env)
    names = ("labels", "valid_from", "valid_to", "change")
    assert history(env, *names) == [
        ("prod, Champion, v1-live", entered, left, "first"), ("prod", back, None, "return"),
    ]  # fmt: skip
    assert now_in_production(env)["prod"]["since_at"] == back


def test_history_of_a_model_has_promotions_rollbacks_and_previous_and_next_versions(env: SyncEnv) -> None:
    model = env.registry.ids("models")[0]
    one, two = env.registry.ids("model-versions")[:2]
    tag(env, one, "prod")
    first = sync(env)
    three = env.registry.add_version(model)
    tag(env, one)
    tag(env, three, "prod")
    promoted = sync(env)
    tag(env, three)
    tag(env, two, "prod")
    rolled_back = sync(env)
    tag(env, three, "live")
    both = sync(env)
    env.registry.delete_version(three)
    deleted = sync(env)

    names = ("version", "valid_from", "valid_to", "previous_version", "next_version", "change")
    assert history(env, *names) == [
        (1, first, promoted, None, 3, "first"),
        (3, promoted, rolled_back, 1, 2, "promotion"),
        (2, rolled_back, None, 3, 3, "rollback"),
        (3, both, deleted, 2, None, "promotion"),
    ]
    rows = env.rows(views.production_history)
    created = {row["id"]: row["created_at"] for row in env.rows(ModelVersion)}
    for row in rows:
        if row["valid_to"] is not None:
            lasted = (row["valid_to"] - row["valid_from"]).total_seconds()
            assert row["duration_seconds"] == pytest.approx(lasted, abs=0.01)
    lead_times = {(row["version"], row["valid_from"]): row["lead_time_seconds"] for row in rows}
    assert lead_times[1, first] is None  # it may have entered earlier
    assert lead_times[3, both] is None  # it had entered before
    expected = (promoted - created[three]).total_seconds()
    assert lead_times[3, promoted] == pytest.approx(expected, abs=0.01)


def test_production_models_show_how_many_versions_each_model_is_behind(env: SyncEnv) -> None:
    first, second = env.registry.ids("models")
    one = env.registry.ids("model-versions")[0]
    sync(env)
    tag(env, one, "prod", "live")
    since = sync(env)
    for _ in range(2):
        tag(env, env.registry.add_version(first), "Prod1")
    deleted = env.registry.add_version(first)  # its number stays unused
    sync(env)
    env.registry.delete_version(deleted)
    tag(env, env.registry.add_version(first), "Prod1")
    empty = env.registry.add_model("1")
    sync(env)

    names = ("production_versions", "newest_production_version", "latest_version", "versions_behind",
             "production_since_at", "production_since_is_exact")  # fmt: skip
    rows = {row["model_id"]: tuple(row[name] for name in names) for row in env.rows(views.production_models)}
    assert rows == {
        first: (1, 1, 6, 4, since, True),
        second: (0, None, 2, None, None, None),
        empty: (0, None, None, None, None, None),
    }
    candidates = {(row["model_id"], row["version"]) for row in env.rows(views.cleanup_candidates)}
    assert candidates == {(first, 2), (first, 3), (first, 4), (second, 1)}  # neither the latest nor in production


def test_not_before_is_the_last_run_that_surely_saw_the_version_without_the_label(env: SyncEnv) -> None:
    model, one = env.registry.ids("models")[0], env.registry.ids("model-versions")[0]
    tag(env, one, "old")
    sync(env)
    full = sync(env)
    tag(env, one, "old", "prod")  # moves no updated_at, so that an incremental run does not see it
    sync(env, full=False)
    sync(env, ml_repo=("2",))
    new = env.registry.add_version(model)
    env.registry.set_tags(new, ["prod"])
    found = sync(env, full=False)  # reads the versions of the model, because it has a new one
    created = {row["id"]: row["created_at"] for row in env.rows(ModelVersion)}

    for view, label in ((views.tag_history, "tag"), (views.production_label_history, "label")):
        bounds = {
            (row["model_version_id"], row[label]): (row["not_before"], row["valid_from"]) for row in env.rows(view)
        }
        assert bounds[one, "prod"] == (full, found)
        assert bounds[new, "prod"] == (created[new], found)
    old = env.row(views.tag_history, views.tag_history.c.tag == "old")
    assert (old["not_before"], old["valid_from_is_exact"]) == (created[one], False)
    assert {row["version"]: row["not_before"] for row in env.rows(views.production_versions)} == {
        1: full, 3: created[new],
    }  # fmt: skip


def test_not_before_is_an_earlier_change_of_the_version_or_the_run_that_first_saw_it(env: SyncEnv) -> None:
    model, one = env.registry.ids("models")[0], env.registry.ids("model-versions")[0]
    sync(env)
    env.registry.set_tags(one, ["prod"])
    new = env.registry.add_version(model)
    env.registry.set_tags(new, [])
    seen = sync(env, full=False)
    env.registry.set_tags(one, [])
    env.registry.set_tags(new, ["live"])
    removed = sync(env, full=False)
    env.registry.set_tags(one, ["prod"])
    back = sync(env, full=False)

    names = ("version", "not_before", "valid_from")
    assert history(env, *names)[1:] == [(3, seen, removed), (1, removed, back)]


def test_pruning_keeps_the_bounds_true(env: SyncEnv) -> None:
    one = env.registry.ids("model-versions")[0]
    without = sync(env)
    tag(env, one, "prod")
    entered = sync(env)
    horizon = sync(env)
    prune(env, horizon)
    created = env.row(ModelVersion, ModelVersion.id == one)["created_at"]

    assert history(env, "valid_from", "valid_from_is_exact", "not_before") == [(entered, False, created)]
    assert answers(env, "production_as_of", at=without) == []
    assert [row["version"] for row in answers(env, "production_as_of", at=horizon)] == [1]


def test_words_for_production_are_a_setting_that_the_database_keeps(env: SyncEnv) -> None:
    one, two, three, four = env.registry.ids("model-versions")
    tag(env, one, "prod")
    tag(env, two, "release=GA")
    tag(env, three, "stage:Serving")
    env.registry.set_alias(four, "v2-pre-serving", touch=False)
    env.sync()
    assert now_in_production(env).keys() == {"prod"}

    env.sync(production_tags="serving, Release:ga")
    assert now_in_production(env).keys() == {"release=GA", "stage:Serving"}
    before = env.registry_dump()
    env.sync(production_tags="serving, Release:ga")
    env.sync()  # without the setting, the words are kept
    assert env.registry_dump() == before

    env.sync(production_tags="pre-serving")
    assert now_in_production(env).keys() == {"v2-pre-serving"}
    assert [row["word"] for row in env.rows(ProductionWord)] == ["pre-serving"]
