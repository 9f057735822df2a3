"""The DAG that maps a sync over the ML repos, and verifies the result at its end."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Param, TriggerRule

from etl.airflow.hook import TrueFoundryHook
from etl.airflow.lineage import registry_assets
from etl.airflow.operators import (
    TrueFoundryListMlReposOperator,
    TrueFoundrySyncOperator,
    TrueFoundryVerifyOperator,
)

_ALLOW = "{{ params.allow_mass_delete }}"


def registry_dag(  # noqa: PLR0913 all are keywords
    dag_id: str = "truefoundry_registry",
    *,
    database_conn_id: str,
    truefoundry_conn_id: str = TrueFoundryHook.default_conn_name,
    schedule: Any = "@hourly",
    repos_per_task: int = 1,
    max_active_syncs: int = 16,
    pool: str = "default_pool",
    retries: int = 3,
    retry_delay: timedelta = timedelta(minutes=1),
    lock_retry_delay: timedelta = timedelta(minutes=1),
    fail_on_partial: bool = True,
    options: Mapping[str, Any] | None = None,
    **dag_arguments: Any,
) -> DAG:
    """Build the DAG: `list_ml_repos`, one `sync` per batch of `repos_per_task` ML repos, then `verify`.

    At most `max_active_syncs` syncs run at the same time, over all runs of the DAG, and at most as many as `pool` has
    slots. `options` are settings of every run, by name. The DAG's parameter `allow_mass_delete` disables the delete
    limit for one DAG run.
    """
    common = {
        "truefoundry_conn_id": truefoundry_conn_id,
        "database_conn_id": database_conn_id,
        "options": {"allow_mass_delete": _ALLOW} | dict(options or {}),
        "fail_on_partial": fail_on_partial,
        "lock_retry_delay": lock_retry_delay,
    }
    allow = Param(default=False, type="boolean", title="Disable the delete limit for this run")
    retry_args = {"retries": retries, "retry_delay": retry_delay, "retry_exponential_backoff": True, "pool": pool}
    with DAG(
        dag_id,
        schedule=schedule,
        default_args=retry_args | dag_arguments.pop("default_args", {}),
        params={"allow_mass_delete": allow} | dag_arguments.pop("params", {}),
        **{"start_date": datetime(2026, 1, 1), "catchup": False, "max_active_runs": 1} | dag_arguments,  # noqa: DTZ001 UTC
    ) as dag:
        _tasks(common, repos_per_task=repos_per_task, max_active_syncs=max_active_syncs)
    return dag


def _tasks(common: dict[str, Any], *, repos_per_task: int, max_active_syncs: int) -> None:
    listed = TrueFoundryListMlReposOperator(
        task_id="list_ml_repos", repos_per_task=repos_per_task, truefoundry_conn_id=common["truefoundry_conn_id"]
    )
    synced = TrueFoundrySyncOperator.partial(
        task_id="sync",
        max_active_tis_per_dag=max_active_syncs,
        map_index_template="{{ (task.ml_repos | join(', '))[:200] }}",  # Airflow stores 250 characters
        skip_unknown_ml_repos=True,
        **common,
    ).expand(ml_repos=listed.output)
    TrueFoundryVerifyOperator(
        task_id="verify",
        trigger_rule=TriggerRule.ALL_DONE,
        listed=listed.output,
        synced=synced.output,
        outlets=registry_assets(common["database_conn_id"]),
        **common,
    )
