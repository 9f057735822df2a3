"""Make operators, and execute them outside a worker."""

from typing import Any

from airflow.sdk.execution_time.context import OutletEventAccessors

from etl.airflow.operators import TrueFoundrySyncOperator


class Instance:
    """The part of a task instance that operators use."""

    run_id = "manual__2026"

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}
        self.states: dict[str, str] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def get_task_states(self, *, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, dict[str, str]]:  # noqa: ARG002 the names are Airflow's
        return {self.run_id: self.states} if run_ids == [self.run_id] else {}


def operator(**given: Any) -> TrueFoundrySyncOperator:
    usual: dict[str, Any] = {"task_id": "sync", "truefoundry_conn_id": "plane", "database_conn_id": "registry_db"}
    options = {"max_retries": 0, "page_size": 20} | given.pop("options", {})
    return TrueFoundrySyncOperator(**usual | given, options=options)


def context() -> Any:
    return {"ti": Instance(), "outlet_events": OutletEventAccessors()}
