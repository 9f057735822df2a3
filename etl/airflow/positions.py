"""The position of a task: how far its earlier runs came, in XComs of its own."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context


def store_position(context: "Context", value: Any) -> None:
    """Store the position of this task. Airflow forgets it if the task is tried again."""
    context["ti"].xcom_push(key=_key(context), value=value)


def stored_positions(context: "Context", task_id: str) -> list[Any]:
    """The positions that this task stored in its DAG runs so far.

    Airflow's order says nothing: a DAG run that was triggered by hand may be the first one for ever.
    """
    found = context["ti"].xcom_pull(task_ids=task_id, key=_key(context), include_prior_dates=True)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _key(context: "Context") -> str:
    """The key of the XComs: Airflow returns those of all mapped tasks with the same key."""
    return f"tfy_etl_position_{context['ti'].map_index}"
