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
AGES = timedelta(days=3650)
DAY = timedelta(days=1)


def no_pause(_seconds: float) -> None:
    pass


def test_changes_that_another_prune_has_deleted_leave_no_note(env: SyncEnv) -> None:
    with open_readonly(env.url) as connection:
        ExpiredHistory(connection, datetime.now(UTC))._note_pruned(false())
        connection.commit()
    assert env.rows(PrunedHistory) == []


def pruned(env: SyncEnv, keep: timedelta = DAY, batch: int = 1000, **given: Any) -> dict[str, int]:
    """What went, by table."""
    return prune(env.settings(keep=keep, **given), batch=batch, sleep=no_pause).rows


def age(env: SyncEnv, *run_ids: str | None) -> None:
    """Make it look as if these runs, or all, had been ages ago, in the same order."""
    for of, run_id, times in (
        (SyncRun, "id", ("started_at", "finished_at")),
        (Change, "run_id", ("observed_at",)),
        (RejectedRecord, "run_id", ("rejected_at", "resolved_at")),
    ):
        rows = env.rows(of)
        with env.connection() as connection:
            for row in rows:
                if row[run_id] in (run_ids or {row[run_id]}):
                    aged = {time: row[time] and row[time] - AGES for time in times}
                    connection.execute(update(of).where(of.__table__.c.id == row["id"]).values(aged))


def leave_scope(env: SyncEnv, key: str, ml_repo: str | None) -> None:
    """Add the state of a scope that had its last complete run ages ago."""
    then = datetime.now(UTC) - AGES
    row = {"scope": key, "ml_repo_id": ml_repo, "last_complete_at": then, "coverage": "all", "lists_ml_repos": True}
    with env.connection() as connection:
        connection.execute(insert(SyncScope), [row])


def scopes(env: SyncEnv) -> set[str]:
    return {row["scope"] for row in env.rows(SyncScope)}


def counted(env: SyncEnv) -> dict[str, int]:
    """How many rows each of the runs' tables has."""
    return {name: len(env.rows(Base.metadata.tables[name])) for name in PRUNED}


def kept(env: SyncEnv) -> set[str]:
    """Ids of the runs that there are."""
    return {row["id"] for row in env.rows(SyncRun)}


def changing(env: SyncEnv, times: int) -> Iterator[Summary]:
    """A first load, then runs that each find two fields of a model changed."""
    yield env.sync()
    for number in range(times):
        env.registry.set_fields(env.registry.ids("models")[number], {"type": f"other-{number}"})
        yield env.sync()


def test_runs_counts_and_changes_go_when_they_are_old_and_the_registry_stays(env: SyncEnv) -> None:
    runs = [each.run_id for each in changing(env, 3)]
    age(env, *runs[:3])
    others = {*Base.metadata.tables} - PRUNED - {"pruned_history"}
    before = {name: env.rows(Base.metadata.tables[name]) for name in others}
    young = [row for row in env.rows(Change) if row["run_id"] == runs[3]]
    newest = max(row["observed_at"] for row in env.rows(Change) if row["run_id"] == runs[2])
    gone = pruned(env)

    assert gone == {"sync_scopes": 0, "changes": 4, "rejected_records": 0, "sync_run_counts": 9, "sync_runs": 3}
    assert kept(env) == {runs[3]}
    assert env.rows(Change) == young
    assert env.rows(PrunedHistory) == [{"newest_change_at": newest}]
    assert len(env.rows(SyncRunCount)) == 3
    for name, rows in before.items():
        assert env.rows(Base.metadata.tables[name]) == rows, name


def test_the_last_complete_run_of_each_scope_stays_however_old(env: SyncEnv) -> None:
    _, whole = changing(env, 1)
    env.sync(ml_repo=("1",))
    env.plane.faults = [fault("moving")]
    partials = [env.sync(max_sweeps=1, page_size=3) for _ in range(2)]
    env.plane.faults = []
    env.sync(ml_repo=("1",), allow_mass_delete=True)  # what moved took some with it
    of_repo = env.sync(ml_repo=("1",))
    age(env)
    gone = pruned(env)

    assert [each.complete for each in partials] == [False, False]
    assert kept(env) == {whole.run_id, of_repo.run_id}
    assert gone["sync_runs"] == 5
    assert {row["last_complete_run_id"] for row in env.rows(SyncScope)} == kept(env)


def test_the_last_run_that_wrote_stays_though_none_was_complete_for_it_tells_the_host(env: SyncEnv) -> None:
    env.plane.faults = [fault("moving")]
    env.sync(max_sweeps=1, page_size=2)
    last = env.sync(max_sweeps=1, page_size=2)
    age(env)
    assert pruned(env)["sync_runs"] == 1
    assert kept(env) == {last.run_id}


def test_what_a_scope_points_to_stays_though_its_own_runs_row_tells_of_no_such_scope(env: SyncEnv) -> None:
    pointed = env.sync()
    env.sync()
    with env.connection() as connection:
        connection.execute(update(SyncScope).values(last_complete_run_id=pointed.run_id))
    age(env)

    assert pruned(env)["sync_runs"] == 0


def test_failed_and_refused_runs_go_and_those_at_work_stay(env: SyncEnv) -> None:
    env.sync()
    for model in env.registry.ids("models")[:6]:
        env.registry.delete_model(model)
    with pytest.raises(DeleteLimitExceeded):
        env.sync()
    with env.connection() as connection:
        connection.execute(update(SyncRun).where(SyncRun.status == "refused").values(status="running"))
    age(env)
    assert pruned(env)["sync_runs"] == 0
    with env.connection() as connection:
        connection.execute(update(SyncRun).where(SyncRun.status == "running").values(status="failed"))
    assert pruned(env)["sync_runs"] == 1


def test_rejects_go_once_they_were_resolved_for_long_and_open_ones_stay_with_their_run(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", None)
    first = env.sync().run_id
    env.registry.put_raw("models", "odder", 1)
    env.sync()
    env.sync()
    with env.connection() as connection:
        of_first = update(RejectedRecord).where(RejectedRecord.run_id == first)
        connection.execute(of_first.values(resolved_at=datetime.now(UTC) - AGES))
    age(env)
    gone = pruned(env)

    assert (gone["rejected_records"], gone["sync_runs"]) == (1, 1)
    assert [row["resolved_at"] for row in env.rows(RejectedRecord)] == [None]
    assert first not in kept(env)


def test_a_reject_that_was_resolved_lately_keeps_its_run(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", None)
    env.sync()
    env.sync()
    age(env)
    with env.connection() as connection:
        connection.execute(update(RejectedRecord).values(resolved_at=datetime.now(UTC)))

    assert sum(pruned(env).values()) == 0
    assert pruned(env, keep=timedelta())["rejected_records"] == 1


@pytest.mark.parametrize("batch", [1, 2, 3, 1000])
def test_any_size_of_batch_deletes_the_same(batch: int, env: SyncEnv) -> None:
    list(changing(env, 4))
    age(env)
    assert pruned(env, batch=batch) == {
        "sync_scopes": 0, "changes": 8, "rejected_records": 0, "sync_run_counts": 12, "sync_runs": 4,
    }  # fmt: skip
    assert counted(env) == {
        "sync_scopes": 1, "changes": 0, "rejected_records": 0, "sync_run_counts": 3, "sync_runs": 1,
    }  # fmt: skip


def test_what_a_batch_deleted_is_gone_for_good_before_the_next(env: SyncEnv) -> None:
    list(changing(env, 4))
    age(env)
    left = []

    def stop(_seconds: float) -> None:
        left.append(counted(env))
        if len(left) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune(env.settings(keep=DAY), batch=4, sleep=stop)
    assert [(each["changes"], each["sync_runs"]) for each in left] == [(4, 5), (0, 5), (0, 1)]
    assert counted(env) == left[-1]


def test_a_dry_run_counts_what_would_go_and_writes_nothing(env: SyncEnv) -> None:
    env.registry.put_raw("models", "odd", None)
    list(changing(env, 2))
    with env.connection() as connection:
        connection.execute(update(RejectedRecord).values(resolved_at=datetime.now(UTC) - AGES))
    age(env)
    leave_scope(env, "left", None)
    before = counted(env)
    would_go = pruned(env, dry_run=True)
    assert counted(env) == before
    assert env.rows(PrunedHistory) == []
    assert would_go == pruned(env)
    assert min(would_go.values()) > 0
    assert counted(env) == {name: before[name] - would_go[name] for name in PRUNED}


def test_scope_of_deleted_ml_repo_is_dropped_with_the_run_that_it_names(env: SyncEnv) -> None:
    of_repo = env.sync(ml_repo=("3",))
    env.sync(ml_repo=("1",))
    env.registry.delete_ml_repo("3")
    whole = env.sync(allow_mass_delete=True)
    with env.connection() as connection:
        named = update(SyncScope).where(SyncScope.ml_repo_id == "3")
        connection.execute(named.values(last_complete_run_id=of_repo.run_id))
    age(env)

    assert pruned(env)["sync_scopes"] == 1
    assert scopes(env) == {"all", '{"ml_repos":["1"]}'}
    assert kept(env) == {whole.run_id}


def test_scope_of_a_filter_is_dropped_once_it_has_had_no_run_for_as_long_as_runs_are_kept(env: SyncEnv) -> None:
    env.sync(ml_repo=("1",))
    name = env.registry.records("models")[0]["name"]
    env.sync(name=name)
    env.plane.faults = [fault("moving")]
    env.sync(name=name, max_sweeps=1, page_size=2)
    leave_scope(env, '{"name":"left"}', None)
    leave_scope(env, '{"ml_repos":["404"]}', "404")  # no table has this ML repo
    with env.connection() as connection:
        connection.execute(update(SyncScope).values(last_complete_at=datetime.now(UTC) - AGES))

    assert pruned(env)["sync_scopes"] == 2
    assert scopes(env) == {'{"ml_repos":["1"]}', f'{{"name":"{name}"}}'}
    age(env)
    assert pruned(env)["sync_scopes"] == 1
    assert scopes(env) == {'{"ml_repos":["1"]}'}


def test_nothing_is_older_than_the_calendar(env: SyncEnv) -> None:
    env.sync()
    env.sync()
    age(env)
    assert sum(pruned(env, keep=timedelta(days=999_999_999)).values()) == 0


def test_how_much_is_kept_must_be_said(env: SyncEnv) -> None:
    with pytest.raises(ConfigError, match="--keep 90d"):
        prune(env.settings())


def test_it_works_beside_a_run_that_holds_the_lock(env: SyncEnv) -> None:
    list(changing(env, 2))
    age(env)
    gone: list[dict[str, int]] = []

    def housekeeping(*_: object) -> None:
        if not gone:
            gone.append(pruned(env))

    env.plane.before_request = housekeeping
    assert env.sync().status == "succeeded"
    assert gone == [
        {"sync_scopes": 0, "changes": 4, "rejected_records": 0, "sync_run_counts": 6, "sync_runs": 2},
    ]


def test_runs_get_their_turn_while_much_is_deleted_in_small_batches(env: SyncEnv) -> None:
    (first, *_) = changing(env, 1)
    with env.connection() as connection:
        row = env.rows(Change)[0]
        rows = [row | {"id": number, "run_id": first.run_id} for number in range(1000, 1200)]
        connection.execute(insert(Change), rows)
    age(env)
    with ThreadPoolExecutor(1) as pool:
        housekeeping = pool.submit(prune, env.settings(keep=DAY), batch=1)
        runs = [env.sync() for _ in range(5)]
        assert housekeeping.result().rows["changes"] == 202
    assert {each.status for each in runs} == {"succeeded"}


def test_nothing_is_looked_at_twice(env: SyncEnv) -> None:
    list(changing(env, 5))
    age(env)
    with open_readonly(env.url) as connection:
        told = list(ExpiredHistory(connection, datetime.now(UTC)).delete(4))
    assert [each.get("changes") for each in told] == [4, 4, 2, None, None]
    assert [each.get("sync_runs") for each in told[3:]] == [4, 1]


def test_a_run_that_ends_only_now_is_not_old_though_it_began_before(env: SyncEnv) -> None:
    _, last = changing(env, 1)
    age(env)
    env.execute("UPDATE sync_runs SET finished_at = '2999-01-01 00:00:00.000000'")
    before = env.rows(Change)

    assert pruned(env) == dict.fromkeys(pruned(env), 0)
    assert env.rows(Change) == before != []
    assert last.run_id in kept(env)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)  # the statement alone could grow with each batch
def test_batches_may_be_many(env: SyncEnv) -> None:
    _, last = changing(env, 1)
    changes = [
        {"run_id": last.run_id, "observed_at": datetime(2020, 1, 1, tzinfo=UTC), "entity": "models", "kind": "updated"}
        | {"entity_id": str(number)}
        for number in range(1100)
    ]
    with env.connection() as connection:
        connection.execute(insert(Change), changes)
    age(env, last.run_id)
    with open_readonly(env.url) as connection:
        gone = sum(each.get("changes", 0) for each in ExpiredHistory(connection, datetime.now(UTC) - DAY).delete(1))
    assert gone >= 1100
