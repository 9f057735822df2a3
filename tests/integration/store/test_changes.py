"""The changes that runs recorded, with names."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from etl.changes import NamedChange, sentence
from etl.errors import ConfigError, DeleteLimitExceeded
from etl.models import Change
from etl.simulator import ML_REPOS, MODEL_VERSIONS, MODELS, Registry
from etl.store import queries
from etl.store.queries.changes import ChangeFilter, Counts
from tests.support.sync_env import SyncEnv, sync_env


@pytest.fixture
def env(migrated_url: str) -> Iterator[SyncEnv]:
    """Two ML repos with four models of two versions each, after the first run."""
    registry = Registry(seed=5)
    for repo, names in (("risk", ("fraud-scorer", "credit-scorer")), ("marketing", ("churn-predictor", "basket"))):
        repo_id = registry.add_ml_repo(repo)
        for name in names:
            model_id = registry.add_model(repo_id, name)
            for _ in range(2):
                version = registry.add_version(model_id, metrics=0)
                registry.set_tags(version, None)
    with sync_env(migrated_url, registry) as env:
        env.sync()
        yield env


def model_id(env: SyncEnv, name: str) -> str:
    return next(str(each["id"]) for each in env.registry.records(MODELS) if each["name"] == name)


def version_id(env: SyncEnv, name: str, number: int) -> str:
    of_model = [each for each in env.registry.records(MODEL_VERSIONS) if each["manifest"]["name"] == name]
    return next(str(each["id"]) for each in of_model if each["manifest"]["version"] == number)


def changes(env: SyncEnv, *, limit: int | None = None, every: bool = False, **filters: Any) -> list[NamedChange]:
    with env.connection() as connection:
        return list(queries.changes.recorded(connection, ChangeFilter(**filters), limit=limit, every=every))


def sentences(env: SyncEnv, **filters: Any) -> list[str]:
    return [sentence(each, str) for each in changes(env, **filters)]


def count(env: SyncEnv) -> Counts:
    with env.connection() as connection:
        return queries.changes.count(connection, ChangeFilter())


def test_the_first_load_records_no_changes(env: SyncEnv) -> None:
    assert sentences(env) == []
    assert count(env) == Counts(0, 0)


def test_each_change_is_described_with_names_and_sorted_by_them(env: SyncEnv) -> None:
    env.registry.set_tags(version_id(env, "fraud-scorer", 2), ["production"], touch=False)
    env.registry.set_description(version_id(env, "credit-scorer", 1), "Better.")
    env.registry.delete_model(model_id(env, "churn-predictor"))
    repo = env.registry.add_ml_repo("research")
    env.registry.add_version(env.registry.add_model(repo, "intent-router"))
    env.registry.set_tags(env.registry.add_version(model_id(env, "basket")), ["candidate"])
    env.sync(full=True, allow_mass_delete=True)
    assert sentences(env) == [
        "ML repo research: created",
        "basket v3: created, with tag candidate",
        "churn-predictor: deleted, with 2 versions",
        "credit-scorer v1: description changed",
        "fraud-scorer v2: tag production added",
        "intent-router: created, with 1 version",
    ]


def test_every_change_includes_bookkeeping_fields_and_each_version(env: SyncEnv) -> None:
    env.registry.delete_model(model_id(env, "churn-predictor"))
    env.registry.touch(model_id(env, "basket"))
    env.sync(allow_mass_delete=True)
    found = changes(env, every=True)
    assert [(each.model, each.version, each.kind, each.field) for each in found] == [
        ("basket", None, "updated", "updated_at"),
        ("churn-predictor", None, "deleted", None),
        ("churn-predictor", 1, "deleted", None),
        ("churn-predictor", 2, "deleted", None),
    ]
    assert count(env) == Counts(shown=1, bookkeeping=1)
    assert len(env.rows(Change)) == len(found)


def test_newest_run_is_first_and_times_select_runs(env: SyncEnv) -> None:
    for tag in ("a", "b", "c"):
        env.registry.set_tags(version_id(env, "basket", 2), [tag])
        env.sync()
    newest, *_, oldest = changes(env)
    assert (newest.old, oldest.new) == ("b", "a")
    assert newest.observed_at is not None
    assert oldest.observed_at is not None
    assert sentences(env, since=newest.observed_at) == ["basket v2: tag b removed", "basket v2: tag c added"]
    assert sentences(env, until=oldest.observed_at) == []
    assert sentences(env, until=oldest.observed_at + timedelta(microseconds=1)) == ["basket v2: tag a added"]
    assert sentences(env, run_id=oldest.run_id) == ["basket v2: tag a added"]
    assert [each.new for each in changes(env, limit=2)] == [None, "c"]


def test_model_is_selected_by_name_fqn_or_ml_repo_and_name(env: SyncEnv) -> None:
    env.registry.set_tags(version_id(env, "basket", 2), ["a"])
    env.registry.set_tags(version_id(env, "fraud-scorer", 2), ["a"])
    env.registry.delete_model(model_id(env, "credit-scorer"))
    env.sync(allow_mass_delete=True)
    with env.connection() as connection:
        ids = [
            queries.changes.find_model_ids(connection, text)
            for text in ("basket", "model:acme/marketing/basket", "marketing/basket")
        ]
    assert ids == [[model_id(env, "basket")]] * 3
    assert sentences(env, model_ids=ids[0]) == ["basket v2: tag a added"]
    with env.connection() as connection:
        deleted = queries.changes.find_model_ids(connection, "credit-scorer")
    assert sentences(env, model_ids=deleted) == ["credit-scorer: deleted, with 2 versions"]


def test_an_unknown_model_or_run_is_an_error_that_suggests_the_name(env: SyncEnv) -> None:
    with env.connection() as connection:
        with pytest.raises(ConfigError, match=r"No model is called fraud-scorr: did you mean fraud-scorer\?"):
            queries.changes.find_model_ids(connection, "fraud-scorr")
        with pytest.raises(ConfigError, match="No model is called zzz: use its name or its FQN"):
            queries.changes.find_model_ids(connection, "zzz")
        with pytest.raises(ConfigError, match="No run has the id zzz"):
            queries.changes.check_run(connection, "zzz")


def test_model_name_of_several_ml_repos_is_shown_with_its_ml_repo(env: SyncEnv) -> None:
    marketing = next(each["id"] for each in env.registry.records(ML_REPOS) if each["manifest"]["name"] == "marketing")
    env.registry.add_version(env.registry.add_model(marketing, "fraud-scorer"))
    env.sync()
    assert sentences(env) == ["marketing/fraud-scorer: created, with 1 version"]


def test_move_to_another_ml_repo_is_described_with_both_names(env: SyncEnv) -> None:
    marketing = next(each for each in env.registry.records(ML_REPOS) if each["manifest"]["name"] == "marketing")
    moved = model_id(env, "fraud-scorer")
    env.registry.set_fields(moved, {"ml_repo_id": marketing["id"], "fqn": "model:acme/marketing/fraud-scorer"})
    env.sync()
    assert sentences(env) == ["fraud-scorer: moved from ML repo risk to marketing"]


def test_restored_model_counts_the_versions_that_were_restored_with_it(env: SyncEnv) -> None:
    deleted = model_id(env, "churn-predictor")
    env.registry.delete_model(deleted)
    env.sync(allow_mass_delete=True)
    env.registry.restore(deleted)
    env.sync()
    assert sentences(env)[0] == "churn-predictor: restored, with 2 versions"


def test_a_version_whose_model_is_unknown_is_named_by_its_fqn(env: SyncEnv) -> None:
    env.registry.set_tags(version_id(env, "basket", 2), ["a"])
    env.sync()
    env.execute("UPDATE models SET name = NULL WHERE name = 'basket'")
    assert sentences(env) == ["acme/marketing/basket:2: tag a added"]


def test_metric_changes_are_described_with_both_values(env: SyncEnv) -> None:
    basket = version_id(env, "basket", 2)
    env.registry.add_metric(basket, "auc", 0.91)
    env.sync()
    (logged,) = env.registry.get(MODEL_VERSIONS, basket)["metrics"]
    env.registry.set_fields(basket, {"metrics": [logged | {"value": 0.93}]})
    env.sync()
    assert sentences(env) == ["basket v2: metric auc changed from 0.91 to 0.93", "basket v2: metric auc 0.91 logged"]


def test_changes_command_reads_each_database(env: SyncEnv) -> None:
    env.registry.set_tags(version_id(env, "basket", 2), ["a"])
    env.sync()
    text = env.command("--since", "1h", "--model", "basket", command="changes")
    assert text.splitlines()[1:2] == ["  basket v2: tag a added"]
    found = json.loads(env.command("--output", "json", command="changes"))
    assert [each["sentence"] for each in found if each["field"] == "tags"] == ["basket v2: tag a added"]


def test_dry_run_returns_the_changes_that_the_next_run_records(env: SyncEnv) -> None:
    env.registry.set_tags(version_id(env, "fraud-scorer", 2), ["production"])
    env.registry.set_description(version_id(env, "fraud-scorer", 2), "Better.")
    deleted = model_id(env, "churn-predictor")
    env.registry.delete_model(deleted)
    env.registry.delete_version(version_id(env, "credit-scorer", 1))
    env.registry.add_version(env.registry.add_model(env.registry.add_ml_repo("research"), "intent-router"))
    planned = env.sync(dry_run=True, allow_mass_delete=True).changes
    assert planned is not None
    assert env.sync(allow_mass_delete=True).changes is None
    assert [sentence(each, str) for each in planned.changes] == sentences(env)
    assert planned.records == 5
    assert {(each.run_id, each.observed_at) for each in planned.changes} == {(None, None)}
    env.registry.restore(deleted)
    restored = env.sync(dry_run=True).changes
    env.sync()
    assert restored is not None
    newest = changes(env)[0].run_id
    assert [sentence(each, str) for each in restored.changes] == sentences(env, run_id=newest)
    assert restored.records == 1


def test_a_refused_run_names_the_missing_records(env: SyncEnv) -> None:
    env.registry.delete_model(model_id(env, "churn-predictor"))
    env.registry.delete_version(version_id(env, "credit-scorer", 1))
    with pytest.raises(DeleteLimitExceeded, match=r"Missing: churn-predictor with 2 versions, credit-scorer v1\.$"):
        env.sync()


def test_a_refused_run_names_ten_records_and_counts_the_others(migrated_url: str) -> None:
    registry = Registry.generate(seed=3, ml_repos=1, models=14, versions=1, metrics=0, empty_share=0)
    with sync_env(migrated_url, registry) as env:
        env.sync()
        for each in registry.ids(MODELS)[2:]:
            registry.delete_model(each)
        with pytest.raises(DeleteLimitExceeded) as refused:
            env.sync()
    _, _, missing = str(refused.value).partition("Missing: ")
    assert missing.count(" with 1 version") == 10
    assert missing.endswith(" and 2 more.")


def test_created_version_is_shown_with_its_tags_of_that_run_after_later_changes(env: SyncEnv) -> None:
    version = env.registry.add_version(model_id(env, "basket"), metrics=0)
    for tags in (["candidate", "eu"], ["candidate", "production"], ["eu"], None):
        env.registry.set_tags(version, tags)
        env.sync(full=True)
        assert "basket v3: created, with tags candidate, eu" in sentences(env)
    assert sentences(env)[0] == "basket v3: tag eu removed"


def test_a_planned_version_is_shown_with_its_tags(env: SyncEnv) -> None:
    env.registry.set_tags(env.registry.add_version(model_id(env, "basket"), metrics=0), ["production"])
    planned = env.sync(dry_run=True).changes
    assert planned is not None
    assert [sentence(each, str) for each in planned.changes] == ["basket v3: created, with tag production"]
