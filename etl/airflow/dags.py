"""The DAG that maps a sync over the ML repos, and verifies the result at its end."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from etl.airflow.hook import TrueFoundryHook
from etl.airflow.task_groups import (
    DOC_MD,
    add_registry_tasks,
    registry_params,
    registry_task_group,
    retry_arguments,
)

__all__ = ["registry_dag", "registry_params", "registry_task_group"]


def registry_dag(  # noqa: PLR0913 all are keywords
    dag_id: str = "truefoundry_registry",
    *,
    database_conn_id: str,
    truefoundry_conn_id: str = TrueFoundryHook.default_conn_name,
    schedule: Any = "@hourly",
    repos_per_task: int | None = None,
    max_active_syncs: int = 16,
    pool: str = "default_pool",
    retries: int = 3,
    retry_delay: timedelta = timedelta(minutes=1),
    lock_retry_delay: timedelta = timedelta(minutes=1),
    fail_on_partial: bool = True,
    options: Mapping[str, Any] | None = None,
    **dag_arguments: Any,
) -> DAG:
    """Build the DAG: `list_ml_repos`, one `sync` per batch of ML repos, then `verify`.

    By default, each ML repo has a sync of its own, up to `core.max_map_length`; see TrueFoundryListMlReposOperator.

    At most `max_active_syncs` syncs run at the same time, over all runs of the DAG, and at most as many as `pool` has
    slots. `options` are settings of every run, by name; parallel syncs share `requests_per_second`. The parameters
    `full`, `ml_repos` and `allow_mass_delete` are for single DAG runs. The tasks are those of `registry_task_group`,
    without the group, so that a page of the DAG shows them at once.
    """
    default_args = retry_arguments(pool, retries, retry_delay) | dag_arguments.pop("default_args", {})
    params = registry_params() | dag_arguments.pop("params", {})
    defaults = {
        "start_date": datetime(2026, 1, 1, tzinfo=UTC),
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": timedelta(hours=24),
        "doc_md": DOC_MD,
        "tags": ["tfy-etl", "truefoundry"],
    }
    arguments = defaults | dag_arguments
    with DAG(dag_id, schedule=schedule, default_args=default_args, params=params, **arguments) as dag:
        add_registry_tasks(
            database_conn_id=database_conn_id,
            truefoundry_conn_id=truefoundry_conn_id,
            repos_per_task=repos_per_task,
            max_active_syncs=max_active_syncs,
            lock_retry_delay=lock_retry_delay,
            fail_on_partial=fail_on_partial,
            options=options,
        )
    return dag
