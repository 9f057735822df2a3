from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import false, insert, update

from etl.errors import ConfigError, DeleteLimitExceeded
from etl.models import Base, Change, PrunedHistory, RejectedRecord, SyncRun, SyncRunCount, SyncScope
from etl.simulator import fault
from etl.store import ExpiredHistory, open_readonly
from etl.sync import Summary, prune
from tests.support.sync_env import SyncEnv

PRUNED = {"sync_scopes", "changes", "rejected_records", "sync_run_counts", "sync_runs"}
TEN_YEARS = timedelta(days=3650)
DAY = timedelta(days=1)


def no_pause(_seconds: float) -> None:
    pass


def test_changes_that_another_prune_has_deleted_are_not_recorded_as_pruned(env: SyncEnv) -> None:
    with open_readonly(env.url) as connection:
        ExpiredHistory(connection, datetime.now(UTC))._note_pruned(false())
        connection.commit()
    assert env.rows(PrunedHistory) == []


def run_prune(env: SyncEnv, keep: timedelta = DAY, batch: int = 1000, **given: Any) -> dict[str, int]:
    """Prune, and return the number of deleted rows by table."""
    return prune(env.settings(keep=keep, **given), batch=batch, sleep=no_pause).rows


def make_old(env: SyncEnv, *run_ids: str | None) -> None:
    """Set the times of these runs, or of all runs, ten years back."""
    for table, id_column, time_columns in (
        (SyncRun, "id", ("started_at", "finished_at")),
        (Change, "run_id", ("observed_at",)),
        (RejectedRecord, "run_id", ("rejected_at", "resolved_at")),
    ):
        rows = env.rows(table)
        with env.connection() as connection:
            for row in rows:
                if row[id_column] in (run_ids or {row[id_column]}):
                    aged = {time: row[time] and row[time] - TEN_YEARS for time in time_columns}
                    connection.execute(update(table).where(table.__table__.c.id == row["id"]).values(aged))


def add_old_scope(env: SyncEnv, key: str, ml_repo: str | None) -> None:
    """Add the state of a scope that had its last complete run ten years ago."""
    then = datetime.now(UTC) - TEN_YEARS
    row = {"scope": key, "ml_repo_id": ml_repo, "last_complete_at": then, "coverage": "all", "lists_ml_repos": True}
    with env.connection() as connection:
        connection.execute(insert(SyncScope), [row])


def scopes(env: SyncEnv) -> set[str]:
    return {row["scope"] for row in env.rows(SyncScope)}


def count_rows(env: SyncEnv) -> dict[str, int]:
    """Return the number of rows of each table that prune deletes from."""
    return {name: len(env.rows(Base.metadata.tables[name])) for name in PRUNED}


def stored_runs(env: SyncEnv) -> set[str]:
    """Return the ids of the stored runs."""
    return {row["id"] for row in env.rows(SyncRun)}


def load_and_change(env: SyncEnv, times: int) -> Iterator[Summary]:
    """Yield a first load, then runs that each find two changed fields of a model."""
    yield env.sync()
    for number in range(times):
        env.registry.set_fields(env.registry.ids("models")[number], {"type": f"other-{number}"})
        yield env.sync()


def test_prune_deletes_old_runs_counts_and_changes_but_no_registry_rows(env: SyncEnv) -> None:
    runs = [each.run_id for each in load_and_change(env, 3)]
    make_old(env, *runs[:3])
    others = {*Base.metadata.tables} - PRUNED - {"pruned_history"}
    before = {name: env.rows(Base.metadata.tables[name]) for name in others}
    young = [row for row in env.rows(Change) if row["run_id"] == runs[3]]
    newest = max(row["observed_at"] for row in env.rows(Change) if row["run_id"] == runs[2])
    deleted = run_prune(env)

    assert deleted == {"sync_scopes": 0, "changes": 4, "rejected_records": 0, "sync_run_counts": 9, "sync_runs": 3}
    assert stored_runs(env) == {runs[3]}
    assert env.rows(Change) == young
    assert env.rows(PrunedHistory) == [{"newest_change_at": newest}]
    assert len(env.rows(SyncRunCount)) == 3
    for name, rows in before.items():
        assert env.rows(Base.metadata.tables[name]) == rows, name


def test_last_complete_run_of_each_scope_is_kept_at_any_age(env: SyncEnv) -> None:
    _, whole = load_and_change(env, 1)
    env.sync(ml_repo=("1",))
    env.plane.faults = [fault("moving")]
    partials = [env.sync(max_sweeps=1, page_size=3) for _ in range(2)]
    env.plane.faults = []
    env.sync(ml_repo=("1",), allow_mass_delete=True)  # the fault deleted some records
    of_repo = env.sync(ml_repo=("1",))
    make_old(env)
    deleted = run_prune(env)

    assert [each.complete for each in partials] == [False, False]
    assert stored_runs(env) == {whole.run_id, of_repo.run_id}
    assert deleted["sync_runs"] == 5
    assert {row["last_complete_run_id"] for row in env.rows(SyncScope)} == stored_runs(env)


def test_last_run_that_wrote_is_kept_for_its_host_even_if_none_was_complete(env: SyncEnv) -> None:
    env.plane.faults = [fault("moving")]
    env.sync(max_sweeps=1, page_size=2)
    last = env.sync(max_sweeps=1, page_size=2)
    make_old(env)
    assert run_prune(env)["sync_runs"] == 1
    assert stored_runs(env) == {last.run_id}


def test_run_that_a_scope_refers_to_is_kept_even_if_a_later_one_was_complete(env: SyncEnv) -> None:
    referenced = env.sync()
    env.sync()
    with env.connection() as connection:
        connection.execute(update(SyncScope).values(last_complete_run_id=referenced.run_id))
    make_old(env)

    assert run_prune(env)["sync_runs"] == 0


def refused_run(env: SyncEnv) -> None:
    """Sync, and then again after too many deletes."""
    env.sync()
    for model in env.registry.ids("models")[:6]:
        env.registry.delete_model(model)
    with pytest.raises(DeleteLimitExceeded):
        env.sync()


def test_refused_run_is_deleted_and_the_complete_one_before_it_kept(env: SyncEnv) -> None:
    refused_run(env)
    runs = {row["status"]: row["id"] for row in env.rows(SyncRun)}
    assert runs.keys() == {"succeeded", "refused"}
    make_old(env)

    assert run_prune(env)["sync_runs"] == 1
    assert stored_runs(env) == {runs["succeeded"]}


def test_failed_run_is_deleted_and_a_running_one_kept(env: SyncEnv) -> None:
    refused_run(env)
    with env.connection() as connection:
        connection.execute(update(SyncRun).where(SyncRun.status == "refused").values(status="running"))
    make_old(env)
    assert run_prune(env)["sync_runs"] == 0
    with env.connection() as connection:
        connection.execute(update(SyncRun).where(SyncRun.status == "running").values(status="failed"))
    assert run_prune(env)["sync_runs"] == 1


def test_rejected_records_resolved_long_ago_are_deleted_and_open_ones_kept_with_their_run(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", None)
    first = env.sync().run_id
    env.registry.put_raw("models", "odder", 1)
    env.sync()
    env.sync()
    with env.connection() as connection:
        of_first = update(RejectedRecord).where(RejectedRecord.run_id == first)
        connection.execute(of_first.values(resolved_at=datetime.now(UTC) - TEN_YEARS))
    make_old(env)
    deleted = run_prune(env)

    assert (deleted["rejected_records"], deleted["sync_runs"]) == (1, 1)
    assert [row["resolved_at"] for row in env.rows(RejectedRecord)] == [None]
    assert first not in stored_runs(env)


def test_recently_resolved_rejected_record_keeps_its_run(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", None)
    env.sync()
    env.sync()
    make_old(env)
    with env.connection() as connection:
        connection.execute(update(RejectedRecord).values(resolved_at=datetime.now(UTC)))

    assert sum(run_prune(env).values()) == 0
    assert run_prune(env, keep=timedelta())["rejected_records"] == 1


@pytest.mark.parametrize("batch", [1, 2, 3, 1000])
def test_any_batch_size_deletes_the_same_rows(batch: int, env: SyncEnv) -> None:
    list(load_and_change(env, 4))
    make_old(env)
    assert run_prune(env, batch=batch) == {
        "sync_scopes": 0, "changes": 8, "rejected_records": 0, "sync_run_counts": 12, "sync_runs": 4,
    }  # fmt: skip
    assert count_rows(env) == {
        "sync_scopes": 1, "changes": 0, "rejected_records": 0, "sync_run_counts": 3, "sync_runs": 1,
    }  # fmt: skip


def test_each_batch_is_committed_before_the_next(env: SyncEnv) -> None:
    list(load_and_change(env, 4))
    make_old(env)
    row_counts = []

    def stop(_seconds: float) -> None:
        row_counts.append(count_rows(env))
        if len(row_counts) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(env.settings(keep=DAY), batch=4, sleep=stop)
    assert [(each["changes"], each["sync_runs"]) for each in row_counts] == [(4, 5), (0, 5), (0, 1)]
    assert count_rows(env) == row_counts[-1]


def test_dry_run_counts_the_rows_to_delete_and_writes_nothing(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", None)
    list(load_and_change(env, 2))
    with env.connection() as connection:
        connection.execute(update(RejectedRecord).values(resolved_at=datetime.now(UTC) - TEN_YEARS))
    make_old(env)
    add_old_scope(env, "left", None)
    before = count_rows(env)
    planned = run_prune(env, dry_run=True)
    assert count_rows(env) == before
    assert env.rows(PrunedHistory) == []
    assert planned == run_prune(env)
    assert min(planned.values()) > 0
    assert count_rows(env) == {name: before[name] - planned[name] for name in PRUNED}


def test_scope_of_deleted_ml_repo_is_deleted_with_the_run_that_it_names(env: SyncEnv) -> None:
    of_repo = env.sync(ml_repo=("3",))
    env.sync(ml_repo=("1",))
    env.registry.delete_ml_repo("3")
    whole = env.sync(allow_mass_delete=True)
    with env.connection() as connection:
        named = update(SyncScope).where(SyncScope.ml_repo_id == "3")
        connection.execute(named.values(last_complete_run_id=of_repo.run_id))
    make_old(env)

    assert run_prune(env)["sync_scopes"] == 1
    assert scopes(env) == {"all", '{"ml_repos":["1"]}'}
    assert stored_runs(env) == {whole.run_id}


def test_scope_of_a_filter_is_deleted_once_it_has_no_recent_run(env: SyncEnv) -> None:
    env.sync(ml_repo=("1",))
    name = env.registry.records("models")[0]["name"]
    env.sync(name=name)
    env.plane.faults = [fault("moving")]
    env.sync(name=name, max_sweeps=1, page_size=2)
    add_old_scope(env, '{"name":"left"}', None)
    add_old_scope(env, '{"ml_repos":["404"]}', "404")  # no table has this ML repo
    with env.connection() as connection:
        connection.execute(update(SyncScope).values(last_complete_at=datetime.now(UTC) - TEN_YEARS))

    assert run_prune(env)["sync_scopes"] == 2
    assert scopes(env) == {'{"ml_repos":["1"]}', f'{{"name":"{name}"}}'}
    make_old(env)
    assert run_prune(env)["sync_scopes"] == 1
    assert scopes(env) == {'{"ml_repos":["1"]}'}


def test_keep_period_longer_than_the_calendar_deletes_nothing(env: SyncEnv) -> None:
    env.sync()
    env.sync()
    make_old(env)
    assert sum(run_prune(env, keep=timedelta(days=999_999_999)).values()) == 0


def test_prune_without_keep_raises_config_error(env: SyncEnv) -> None:
    with pytest.raises(ConfigError, match="--keep 90d"):
        prune(env.settings())


def test_prune_works_while_a_run_holds_the_lock(env: SyncEnv) -> None:
    list(load_and_change(env, 2))
    make_old(env)
    deleted: list[dict[str, int]] = []

    def housekeeping(*_: object) -> None:
        if not deleted:
            deleted.append(run_prune(env))

    env.plane.before_request = housekeeping
    assert env.sync().status == "succeeded"
    assert deleted == [
        {"sync_scopes": 0, "changes": 4, "rejected_records": 0, "sync_run_counts": 6, "sync_runs": 2},
    ]


def test_runs_succeed_while_many_rows_are_deleted_in_small_batches(env: SyncEnv) -> None:
    (first, *_) = load_and_change(env, 1)
    with env.connection() as connection:
        row = env.rows(Change)[0]
        rows = [row | {"id": number, "run_id": first.run_id} for number in range(1000, 1200)]
        connection.execute(insert(Change), rows)
    make_old(env)
    with ThreadPoolExecutor(1) as pool:
        housekeeping = pool.submit(prune, env.settings(keep=DAY), batch=1)
        runs = [env.sync() for _ in range(5)]
        assert housekeeping.result().rows["changes"] == 202
    assert {each.status for each in runs} == {"succeeded"}


def test_each_table_is_deleted_from_until_it_has_no_old_rows(env: SyncEnv) -> None:
    list(load_and_change(env, 5))
    make_old(env)
    with open_readonly(env.url) as connection:
        batches = list(ExpiredHistory(connection, datetime.now(UTC)).delete(4))
    assert [each.get("changes") for each in batches] == [4, 4, 2, None, None]
    assert [each.get("sync_runs") for each in batches[3:]] == [4, 1]


def test_run_that_ended_recently_is_not_old_even_if_it_began_long_ago(env: SyncEnv) -> None:
    _, last = load_and_change(env, 1)
    make_old(env)
    env.execute("UPDATE sync_runs SET finished_at = '2999-01-01 00:00:00.000000'")
    before = env.rows(Change)

    assert run_prune(env) == dict.fromkeys(run_prune(env), 0)
    assert env.rows(Change) == before != []
    assert last.run_id in stored_runs(env)


@pytest.mark.parametrize(
    "dialect", ["sqlite"], indirect=True
)  # one kind is enough: only the statement could grow with each batch
def test_prune_deletes_in_more_than_a_thousand_batches(env: SyncEnv) -> None:
    _, last = load_and_change(env, 1)
    changes = [
        {"run_id": last.run_id, "observed_at": datetime(2020, 1, 1, tzinfo=UTC), "entity": "models", "kind": "updated"}
        | {"entity_id": str(number)}
        for number in range(1100)
    ]
    with env.connection() as connection:
        connection.execute(insert(Change), changes)
    make_old(env, last.run_id)
    with open_readonly(env.url) as connection:
        deleted = sum(each.get("changes", 0) for each in ExpiredHistory(connection, datetime.now(UTC) - DAY).delete(1))
    assert deleted >= 1100
