"""The sensor and the trigger for changes, in this process; test_event_driven.py uses a real triggerer."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred
from airflow.triggers.base import TriggerEvent

from etl.airflow.change_events import ChangeRead
from etl.airflow.sensors import TrueFoundryChangeSensor
from etl.airflow.triggers import TrueFoundryChangeTrigger, changes
from etl.errors import ConfigError
from etl.models import Change
from tests.e2e.airflow import running
from tests.e2e.airflow.conftest import Connect
from tests.support.airflow_installation import postgres_connection
from tests.support.patience import patience
from tests.support.sync_env import SyncEnv

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class StateStore:
    """The store of an asset's state, as Airflow 3.3 gives it to a trigger."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.stored = threading.Event()

    async def aget(self, key: str) -> Any:
        return self.values.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = value
        self.stored.set()


@pytest.fixture(autouse=True)
def _outside_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disable the check of Airflow that only its workers execute operators, and do not wait after events."""
    monkeypatch.setattr("airflow.sdk.bases.operator.ExecutorSafeguard.test_mode", True, raising=False)
    monkeypatch.setattr(changes, "_SETTLE_S", 0)


@pytest.fixture
def env(env: SyncEnv) -> SyncEnv:
    """The environment after its first run, which records no changes."""
    env.sync()
    return env


def trigger(**arguments: Any) -> TrueFoundryChangeTrigger:
    defaults: dict[str, Any] = {"database_conn_id": "registry_db", "poll_interval": 0.05}
    return TrueFoundryChangeTrigger(**defaults | arguments)


def sensor(**arguments: Any) -> TrueFoundryChangeSensor:
    defaults: dict[str, Any] = {"task_id": "wait", "database_conn_id": "registry_db"}
    return TrueFoundryChangeSensor(**defaults | arguments)


def context(start: datetime = LONG_AGO, **arguments: Any) -> Any:
    """The context of a DAG run that started at this time."""
    return running.context(start=start, **arguments)


def tag(env: SyncEnv, number: int, *tags: str) -> None:
    """Set the tags of a version, and sync."""
    env.registry.set_tags(env.registry.ids("model-versions")[number], list(tags))
    env.sync()


def with_state_store(trigger: TrueFoundryChangeTrigger, store: StateStore) -> TrueFoundryChangeTrigger:
    trigger.asset_state_store = SimpleNamespace(_by_name={"asset": store}, _by_uri={})
    return trigger


async def next_event(events: AsyncIterator[TriggerEvent]) -> dict[str, Any]:
    event = await asyncio.wait_for(anext(events), patience())
    assert isinstance(event.payload, dict)
    return event.payload


def sentences(event: dict[str, Any]) -> list[str]:
    return [each["sentence"].partition(": ")[2] for each in event["changes"]]


def test_the_trigger_fires_once_for_each_move_of_the_tag(env: SyncEnv) -> None:
    async def watch() -> list[dict[str, Any]]:
        events = trigger(tag="production", after_change_id=0).run()
        found = []
        for number, tags in ((0, ["production"]), (1, ["other"]), (2, ["production"])):
            await asyncio.to_thread(tag, env, number, *tags)
            if "production" in tags:
                found.append(await next_event(events))
        return found

    first, second = asyncio.run(watch())
    assert "tag production added" in sentences(first)
    assert sentences(second) == ["tag production added"]
    assert second["changes"][0]["id"] == env.registry.ids("model-versions")[2]
    # The generator reads only while it is waited for, so each event begins where the one before ended.
    assert (first["after_change_id"], second["after_change_id"]) == (0, first["last_change_id"])
    assert second["last_change_id"] == max(row["id"] for row in env.rows(Change))


def test_a_new_trigger_begins_after_the_stored_changes(env: SyncEnv) -> None:
    tag(env, 0, "before")
    store = StateStore()

    async def watch() -> dict[str, Any]:
        waiting = asyncio.create_task(next_event(with_state_store(trigger(), store).run()))
        assert await asyncio.to_thread(store.stored.wait, patience())
        await asyncio.to_thread(tag, env, 1, "after")
        return await waiting

    event = asyncio.run(watch())
    assert "tag after added" in sentences(event)
    assert "tag before added" not in sentences(event)


def test_a_new_triggerer_continues_at_the_stored_position(env: SyncEnv) -> None:
    store = StateStore()

    async def watch() -> None:
        first = with_state_store(trigger(after_change_id=0), store).run()
        await asyncio.to_thread(tag, env, 0, "one")
        await next_event(first)
        store.stored.clear()
        waiting = asyncio.create_task(next_event(first))
        assert await asyncio.to_thread(store.stored.wait, patience())
        waiting.cancel()  # the triggerer ends
        await asyncio.to_thread(tag, env, 1, "two")
        event = await next_event(with_state_store(trigger(after_change_id=0), store).run())
        assert "tag two added" in sentences(event)
        assert "tag one added" not in sentences(event)

    asyncio.run(watch())


def test_watchers_of_one_asset_with_different_conditions_have_separate_positions(env: SyncEnv) -> None:
    tag(env, 0, "one")
    store = StateStore()

    async def watch() -> None:
        for arguments in ({"tag": "one"}, {"tag": "two"}):
            events = with_state_store(trigger(after_change_id=0, **arguments), store).run()
            waiting = asyncio.create_task(next_event(events))
            store.stored.clear()
            if arguments["tag"] == "one":
                await waiting
                waiting = asyncio.create_task(next_event(events))
            assert await asyncio.to_thread(store.stored.wait, patience())
            waiting.cancel()

    asyncio.run(watch())
    assert len(store.values) == 2


def test_a_watcher_of_several_assets_begins_at_the_smallest_stored_position() -> None:
    first, second, new = StateStore(), StateStore(), StateStore()
    new_trigger = trigger(after_change_id=1)
    first.values[new_trigger._key], second.values[new_trigger._key] = 7, 5
    new_trigger.asset_state_store = SimpleNamespace(_by_name={"new": new, "first": first}, _by_uri={"second": second})
    assert asyncio.run(new_trigger._stored_position()) == 5
    assert asyncio.run(with_state_store(new_trigger, new)._stored_position()) == 1


class MessageCollector(logging.Handler):
    """Collects log records, and sets an event at the first."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.event = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.event.set()


def test_a_trigger_continues_after_the_database_was_unreachable(env: SyncEnv, connect: Connect) -> None:
    tag(env, 0, "one")

    async def watch() -> dict[str, Any]:
        handler, log = MessageCollector(), logging.Logger("trigger")  # noqa: LOG001 one of its own
        log.addHandler(handler)
        new_trigger = trigger(database_conn_id="away", after_change_id=0)
        new_trigger._log = log
        events = new_trigger.run()
        connect("away", conn_type="postgres", host="127.0.0.1", port=9, login="a", password="pass-of-db", schema="b")
        waiting = asyncio.create_task(next_event(events))
        await asyncio.wait_for(handler.event.wait(), patience())
        assert "cannot read the changes" in handler.messages[0]
        assert "the connection 'away'" in handler.messages[0]
        assert "pass-of-db" not in " ".join(handler.messages)
        connect("away", **postgres_connection(env.url))
        return await waiting

    assert "tag one added" in sentences(asyncio.run(watch()))


def test_a_slow_database_does_not_block_the_triggerer(env: SyncEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    read_started, release = threading.Event(), threading.Event()

    def read(*_: Any, **__: Any) -> ChangeRead:
        read_started.set()
        release.wait(patience())
        return ChangeRead(1, {"changes": []})

    monkeypatch.setattr(changes, "read_changes", read)

    async def watch() -> None:
        waiting = asyncio.create_task(next_event(trigger(after_change_id=0).run()))
        assert await asyncio.to_thread(read_started.wait, patience())
        await asyncio.sleep(0)  # the event loop runs while the read waits
        assert not waiting.done()
        release.set()
        assert await waiting == {"changes": []}

    asyncio.run(watch())


def test_a_trigger_can_be_created_again_from_its_arguments() -> None:
    path, arguments = trigger(tag="production", once=True, after_change_id=7).serialize()
    assert path == "etl.airflow.triggers.changes.TrueFoundryChangeTrigger"
    assert TrueFoundryChangeTrigger(**arguments).serialize() == (path, arguments)


def test_the_sensor_returns_immediately_if_a_change_exists(env: SyncEnv) -> None:
    tag(env, 0, "production")
    event = sensor(tag="production").execute(context())
    assert sentences(event) == ["tag production added"]
    assert event["count"] == 1


def test_the_sensor_waits_for_runs_that_end_after_the_start_of_the_dag_run(env: SyncEnv) -> None:
    tag(env, 0, "production")
    later = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(tag="production", poke_interval=7).execute(context(start=later))
    last = max(row["id"] for row in env.rows(Change))
    assert deferred.value.trigger.serialize()[1] == {
        "database_conn_id": "registry_db", "model": None, "tag": "production", "new_versions": False,
        "after_change_id": last, "once": True, "poll_interval": 7,
    }  # fmt: skip


def test_the_sensor_continues_after_its_last_event_with_any_order_of_dag_runs(env: SyncEnv) -> None:
    stored: dict[str, list[Any]] = {}
    for number in (0, 1):
        tag(env, number, "production")
        event = sensor(tag="production").execute(context(stored=stored))
        assert [each["id"] for each in event["changes"]] == [env.registry.ids("model-versions")[number]]
    for positions in stored.values():
        positions.reverse()  # PostgreSQL sorts a DAG run without a logical date differently
    with pytest.raises(TaskDeferred) as deferred:
        sensor(tag="production").execute(context(stored=stored))
    assert deferred.value.trigger.after_change_id == event["last_change_id"]


def test_mapped_sensors_have_separate_positions(env: SyncEnv) -> None:
    stored: dict[str, list[Any]] = {}
    tag(env, 0, "one")
    sensor(tag="one").execute(context(stored=stored, map_index=0))
    tag(env, 1, "two")
    with pytest.raises(TaskDeferred):
        sensor(tag="one").execute(context(stored=stored, map_index=0))
    assert sentences(sensor(tag="two").execute(context(stored=stored, map_index=1))) == ["tag two added"]
    tag(env, 2, "one")
    assert sentences(sensor(tag="one").execute(context(stored=stored, map_index=0))) == ["tag one added"]


def test_the_sensor_resumes_with_the_event_of_the_trigger_and_continues_after_it(env: SyncEnv) -> None:
    tag(env, 0, "production")
    last = max(row["id"] for row in env.rows(Change))
    event, stored = {"last_change_id": last}, dict[str, list[Any]]()
    assert sensor().execute_complete(context(stored=stored), event) == event
    with pytest.raises(TaskDeferred) as deferred:
        sensor().execute(context(stored=stored))
    assert deferred.value.trigger.after_change_id == last


def test_a_position_after_the_last_change_is_ignored(env: SyncEnv) -> None:
    """SQLite numbers changes from 1 again after `prune` has deleted all."""
    stored: dict[str, list[Any]] = {}
    sensor().execute_complete(context(stored=stored), {"last_change_id": 1_000_000})
    tag(env, 0, "one")
    assert "tag one added" in sentences(sensor().execute(context(stored=stored)))
    tag(env, 1, "two")
    assert "tag one added" not in sentences(sensor().execute(context(stored=stored)))


def test_a_sensor_that_is_not_deferrable_pokes(env: SyncEnv) -> None:
    model = str(env.registry.records("models")[0]["name"])
    task_context = context()
    waiting_sensor = sensor(model=model, new_versions=True, deferrable=False)
    assert not waiting_sensor.poke(task_context).is_done
    env.registry.add_version(env.registry.ids("models")[0])
    env.sync()
    assert sentences(waiting_sensor.poke(task_context).xcom_value) == ["created"]


@pytest.mark.parametrize("empty", ["", " ", "None", None])
def test_an_empty_condition_of_a_template_is_ignored(env: SyncEnv, empty: str | None) -> None:
    tag(env, 0, "production")
    unfiltered = sensor().execute(context())
    assert sensor(model=empty, tag=empty).execute(context()) == unfiltered
    with pytest.raises(TaskDeferred):  # until there is a new version
        sensor(model=empty, tag=empty, new_versions=True).execute(context())

    async def watch() -> dict[str, Any]:
        return await next_event(trigger(model=empty, tag=empty, after_change_id=0).run())

    assert asyncio.run(watch()) == unfiltered


def test_the_sensor_works_on_a_read_only_sqlite_file(env: SyncEnv, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    env.sync(database_url=f"sqlite:///{path}")
    path.chmod(0o444)
    connect("file", conn_type="sqlite", host=str(path))
    with pytest.raises(TaskDeferred):
        sensor(database_conn_id="file").execute(context())


def test_a_sensor_without_a_database_fails_without_retry_and_without_the_password(connect: Connect) -> None:
    connect("wrong", conn_type="http", host="x")
    with pytest.raises(AirflowFailException, match="create it again with the type postgres"):
        sensor(database_conn_id="wrong").execute(context())
    connect("away", conn_type="postgres", host="127.0.0.1", port=9, login="a", password="pass-of-db", schema="b")
    with pytest.raises(AirflowException, match="the connection 'away'") as raised:
        sensor(database_conn_id="away").execute(context())
    assert "pass-of-db" not in str(raised.value)


def test_a_tag_and_new_versions_cannot_be_combined() -> None:
    with pytest.raises(ConfigError, match="Pass tag or new_versions, not both"):
        sensor(tag="production", new_versions=True)
    with pytest.raises(ConfigError, match="Pass tag or new_versions, not both"):
        trigger(tag="production", new_versions=True)
