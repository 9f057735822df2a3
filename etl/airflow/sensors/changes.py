"""The sensor that waits for changes of the registry."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from etl.airflow.change_events import check_condition, read_changes, start_position
from etl.airflow.errors import translate_errors
from etl.airflow.hook import database_url_of
from etl.airflow.operators.sync import UI_COLOR
from etl.airflow.positions import store_position, stored_positions
from etl.airflow.setting_names import use_task_names
from etl.redaction import passwords_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class TrueFoundryChangeSensor(BaseSensorOperator):
    """Wait for rows in `changes`: any, or those of a model, of a tag or alias, or new versions.

    The sensor begins after the last event that it returned in earlier DAG runs, or else with the runs that end after
    the start of the DAG run. It misses no change after its first event. DAG runs that overlap may return the same
    change, so set `max_active_runs=1`. Its XCom is the event, with the range of row numbers, the number of matching
    changes, and a sentence for each of the first. `model` is a name, an FQN, or `ml-repo/name`. `tag` is about versions
    that got or lost it, as tag or as alias. While the sensor is deferred, it takes no slot of a worker.
    """

    template_fields: ClassVar[Sequence[str]] = ("database_conn_id", "model", "tag")
    ui_color = UI_COLOR

    def __init__(
        self,
        *,
        database_conn_id: str,
        model: str | None = None,
        tag: str | None = None,
        new_versions: bool = False,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        """Raise ConfigError for a condition that combines a tag and new versions."""
        super().__init__(**kwargs)
        check_condition(tag, new_versions)
        self.database_conn_id = database_conn_id
        self.model = model
        self.tag = tag
        self.new_versions = new_versions
        self.deferrable = deferrable
        self._position: int | None = None

    def execute(self, context: "Context") -> Any:
        """Return the event if there are matching changes already; else wait."""
        if not self.deferrable:
            return super().execute(context)
        found = self.poke(context)
        return found.xcom_value if found.is_done else self._defer()

    def execute_complete(self, context: "Context", event: dict[str, Any]) -> dict[str, Any]:
        """Return the event of the trigger."""
        self._store_position(context, event)
        return event

    def poke(self, context: "Context") -> PokeReturnValue:
        """Read the changes since the last read."""
        with translate_errors([]):
            url = database_url_of(self.database_conn_id)
        with translate_errors(passwords_of(url)), use_task_names(self.database_conn_id):
            if self._position is None:
                self._position = self._start(context, url)
            self._position, event = read_changes(
                url, self._position, model=self.model, tag=self.tag, new_versions=self.new_versions
            )
        if event is not None:
            self._store_position(context, event)
            self.log.info("%d changes: %s", event["count"], "; ".join(each["sentence"] for each in event["changes"]))
        return PokeReturnValue(is_done=event is not None, xcom_value=event)

    def _start(self, context: "Context", url: str) -> int:
        """The position of the last event, or else that at the start of the DAG run."""
        positions = stored_positions(context, self.task_id, str(context["ti"].map_index))
        if not positions:
            return start_position(url, context["dag_run"].start_date)
        # A position after the last change is an old one: SQLite numbers from 1 again after `prune` has deleted all.
        last = start_position(url)
        return max((each for each in positions if each <= last), default=0)

    def _store_position(self, context: "Context", event: dict[str, Any]) -> None:
        store_position(context, str(context["ti"].map_index), event["last_change_id"])

    def _defer(self) -> Any:
        from etl.airflow.triggers import TrueFoundryChangeTrigger

        trigger = TrueFoundryChangeTrigger(
            database_conn_id=self.database_conn_id,
            model=self.model,
            tag=self.tag,
            new_versions=self.new_versions,
            after_change_id=self._position,
            once=True,
            poll_interval=self.poke_interval,
        )
        return self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))
