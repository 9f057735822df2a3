"""The trigger that fires when a sync has recorded changes, for the sensor and for Airflow's AssetWatcher."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseHook
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from etl.airflow.change_events import ChangeRead, check_condition, read_changes, start_position
from etl.airflow.hook import url_of
from etl.airflow.setting_names import use_task_names
from etl.errors import EtlError
from etl.redaction import mask, passwords_of

# Airflow stores an event about a second after the trigger fires. If the triggerer dies before this time has passed, the
# event is sent again; if the position were stored at once, the event could be lost.
_SETTLE_S = 5.0


class TrueFoundryChangeTrigger(BaseEventTrigger):
    """Fire for new rows in `changes`: any, or those of a model, of a tag or alias, or new versions.

    `model` is a name, an FQN, or `ml-repo/name`. `tag` is about versions that got or lost it, as tag or as alias.
    `after_change_id` is the position to begin at, by default the last change at the start. In an AssetWatcher, Airflow
    3.3 stores the position with the asset, so that a new triggerer continues there. `once` ends with the first event.
    Reads run in a thread, on a connection that only reads, every `poll_interval` seconds.
    """

    def __init__(  # noqa: PLR0913 all are keywords
        self,
        *,
        database_conn_id: str,
        model: str | None = None,
        tag: str | None = None,
        new_versions: bool = False,
        after_change_id: int | None = None,
        once: bool = False,
        poll_interval: float = 60.0,
    ) -> None:
        """Raise ConfigError for a condition that combines a tag and new versions."""
        super().__init__()
        check_condition(tag, new_versions)
        self.database_conn_id = database_conn_id
        self.model = model
        self.tag = tag
        self.new_versions = new_versions
        self.after_change_id = after_change_id
        self.once = once
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments."""
        names = ("database_conn_id", "model", "tag", "new_versions", "after_change_id", "once", "poll_interval")
        path = f"{TrueFoundryChangeTrigger.__module__}.{TrueFoundryChangeTrigger.__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Read until there are matching changes, and fire. A database that cannot be read is tried again."""
        position = stored = await self._stored_position()
        while True:
            try:
                found = await self._read(position)
            except EtlError as error:
                self.log.warning("cannot read the changes, trying again in %s s: %s", self.poll_interval, error)
            else:
                position = found.position
                if found.event is not None:
                    yield TriggerEvent(found.event)
                    if self.once:
                        return
                    await asyncio.sleep(_SETTLE_S)
            if position != stored:
                await self._store_position(position)
                stored = position
            await asyncio.sleep(self.poll_interval)

    async def _read(self, position: int | None) -> ChangeRead:
        """Read the changes after the position; without one, only the position. EtlError without passwords."""
        connection = await BaseHook.aget_connection(self.database_conn_id)
        return await asyncio.to_thread(self._read_in_thread, connection, position)

    def _read_in_thread(self, connection: Any, position: int | None) -> ChangeRead:
        url = url_of(connection)
        try:
            with use_task_names(self.database_conn_id):
                if position is None:
                    return ChangeRead(start_position(url), None)
                return read_changes(url, position, model=self.model, tag=self.tag, new_versions=self.new_versions)
        except EtlError as error:
            raise EtlError(mask(str(error), passwords_of(url))) from None

    async def _stored_position(self) -> int | None:
        """The smallest position stored with the assets; else the given one."""
        found = [await each.aget(self._key) for each in self._stores()]
        return min((each for each in found if isinstance(each, int)), default=self.after_change_id)

    async def _store_position(self, position: int | None) -> None:
        for each in self._stores():
            await each.aset(self._key, position)

    def _stores(self) -> list[Any]:
        """The stores of the assets that the trigger watches: none in a sensor, and none in Airflow 3.2."""
        stores = getattr(self, "asset_state_store", None)
        if stores is None:
            return []
        return [*stores._by_name.values(), *stores._by_uri.values()]  # noqa: SLF001 Airflow has no public list

    @property
    def _key(self) -> str:
        """The key of the position: an asset may have watchers with other conditions."""
        _, arguments = self.serialize()
        condition = {name: arguments[name] for name in ("database_conn_id", "model", "tag", "new_versions")}
        return f"tfy_etl_position_{hashlib.sha256(json.dumps(condition).encode()).hexdigest()[:16]}"
