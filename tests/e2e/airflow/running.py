"""Create operators, and execute them outside a worker."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.sdk.execution_time.context import OutletEventAccessors

from etl.airflow.operators import TrueFoundrySyncOperator


class Instance:
    """The part of a task instance that operators use.

    `stored` are the XComs of all DAG runs, by key, in the order in which Airflow returns them.
    """

    run_id = "manual__2026"

    def __init__(self, stored: dict[str, list[Any]] | None = None, map_index: int = -1) -> None:
        self.pushed: dict[str, Any] = {}
        self.states: dict[str, str] = {}
        self.stored = {} if stored is None else stored
        self.map_index = map_index

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value
        self.stored.setdefault(key, []).append(value)

    def xcom_pull(self, *, task_ids: str, key: str, include_prior_dates: bool) -> Any:
        assert task_ids
        assert include_prior_dates
        found = self.stored.get(key, [])
        return found if len(found) > 1 else next(iter(found), None)

    def get_task_states(self, *, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, dict[str, str]]:  # noqa: ARG002 the names are Airflow's
        return {self.run_id: self.states} if run_ids == [self.run_id] else {}


def operator(**arguments: Any) -> TrueFoundrySyncOperator:
    """A sync operator with the connections of these tests, without HTTP retries, with small pages."""
    defaults: dict[str, Any] = {"task_id": "sync", "truefoundry_conn_id": "plane", "database_conn_id": "registry_db"}
    options = {"max_retries": 0, "page_size": 20} | arguments.pop("options", {})
    return TrueFoundrySyncOperator(**defaults | arguments, options=options)


def context(stored: dict[str, list[Any]] | None = None, map_index: int = -1, start: datetime | None = None) -> Any:
    """The context of a task; its DAG run started at `start`, by default now."""
    return {
        "ti": Instance(stored, map_index),
        "outlet_events": OutletEventAccessors(),
        "dag_run": SimpleNamespace(start_date=start or datetime.now(UTC)),
    }
