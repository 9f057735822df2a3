"""The position of a task: how far its earlier runs came, in XComs of its own.

Airflow returns the XComs of all mapped tasks with the same key, so each has keys of its own: `of` names what it reads.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context


def store_position(context: "Context", of: str, value: Any) -> None:
    """Store the position of this task. Airflow forgets it if the task is tried again."""
    context["ti"].xcom_push(key=_key(of), value=value)


def stored_positions(context: "Context", task_id: str, of: str) -> list[Any]:
    """The positions that this task stored in its DAG runs so far.

    Airflow's order says nothing: a DAG run that was triggered by hand may be the first one for ever.
    """
    found = context["ti"].xcom_pull(task_ids=task_id, key=_key(of), include_prior_dates=True)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _key(of: str) -> str:
    return f"tfy_etl_position_{of}"
