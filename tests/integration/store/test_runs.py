from datetime import timedelta

import pytest

from etl.errors import ConfigError
from etl.models import SyncScope
from etl.store import open_readonly, runs
from tests.support.sync_env import SyncEnv


def test_latest_runs_are_sorted_newest_first_and_have_their_counts(env: SyncEnv) -> None:
    ids = [env.sync().run_id for _ in range(3)]
    with open_readonly(env.url) as connection:
        latest = runs.latest(connection, 2)

    assert [run["id"] for run in latest] == [ids[2], ids[1]]
    assert latest[0]["counts"]["models"]["unchanged"] == 12
    assert latest[0]["counts"].keys() == {"ml_repos", "models", "model_versions"}


def test_run_in_the_future_is_not_the_newest_and_prevents_no_full_run(env: SyncEnv) -> None:
    future_run, past_run = env.sync(full=True).run_id, env.sync(full=True).run_id
    future = "2999-01-01 00:00:00.000000"
    env.execute(f"UPDATE sync_runs SET started_at = '{future}' WHERE id = '{future_run}'")  # noqa: S608 a test's own values
    env.execute(f"UPDATE sync_scopes SET last_full_at = '{future}', watermark = '{future}'")  # noqa: S608 the same
    with open_readonly(env.url) as connection:
        assert [run["id"] for run in runs.latest(connection, 2)] == [past_run, future_run]

    assert env.sync().mode == "full"
    (scope,) = env.rows(SyncScope)
    assert scope["last_full_at"].year < 2999
    assert scope["watermark"].year < 2999
    assert env.sync().mode == "incremental"


def test_runs_are_found_by_their_ids_and_others_are_not(env: SyncEnv) -> None:
    ids = [env.sync(ml_repo=(repo,)).run_id or "" for repo in ("1", "2", "3")]
    with open_readonly(env.url) as connection:
        found = {run["id"]: run["scope"] for run in runs.by_ids(connection, [ids[0], ids[2], "no-such"])}

    assert found == {ids[0]: {"ml_repos": ["1"]}, ids[2]: {"ml_repos": ["3"]}}


def test_freshness_returns_the_age_of_each_scope(env: SyncEnv) -> None:
    env.sync()
    env.sync(ml_repo=("1",))
    env.registry.put_raw("models", "odd", None)
    run = env.sync(full=True)
    with open_readonly(env.url) as connection:
        fresh = {row["scope"]: row for row in runs.freshness(connection)}

    assert fresh.keys() == {"all", '{"ml_repos":["1"]}'}
    assert fresh["all"]["last_complete_run_id"] == run.run_id
    assert (fresh["all"]["models"], fresh["all"]["model_versions"]) == (12, 36)
    assert fresh["all"]["rejected"] == 1
    assert 0 <= fresh["all"]["age_seconds"] < timedelta(minutes=5).total_seconds()


def test_complete_run_with_rejected_records_updates_its_scope(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", None)
    run = env.sync()

    assert run.status == "partial"
    assert env.row(SyncScope)["last_complete_run_id"] == run.run_id


def test_database_before_the_first_run_raises_config_error(database_url: str) -> None:
    with (
        pytest.raises(ConfigError, match=r"has no tables of tfy-etl yet|does not exist: tfy-etl sync"),
        open_readonly(database_url),
    ):
        pass
