"""The tasks of the registry, as a group for one's own DAG."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import Param, TaskGroup, TriggerRule

from etl.airflow.hook import TrueFoundryHook
from etl.airflow.lineage import registry_assets
from etl.airflow.operators import (
    TrueFoundryListMlReposOperator,
    TrueFoundrySyncOperator,
    TrueFoundryVerifyOperator,
)
from etl.errors import ConfigError

# A DAG that the group is put into may lack the parameters. Airflow stores 250 characters of the name of a mapped task.
_ALLOW = "{{ params.get('allow_mass_delete', False) }}"
_FULL = "{{ params.get('full', False) }}"
_ML_REPOS = "{{ params.get('ml_repos', []) | join(',') }}"
_NAMES = "{{ (ml_repo_names | default(task.ml_repos) | join(', '))[:200] }}"

DOC_MD = """
Copies the model registry of a TrueFoundry control plane into a database.

| task | what it does | if it fails |
| --- | --- | --- |
| `list_ml_repos` | lists the ML repos | Check the connection of the control plane. Then clear the task. |
| `sync` | copies the records of some ML repos, once for each batch | Read the end of its log, which says what to do. \
Then clear the task together with its downstream tasks. |
| `verify` | checks that every ML repo was copied, then compares the whole registry | If it names ML repos, clear \
their `sync` tasks together with the downstream tasks; the others need not run again. |

The next run of the DAG catches up with what a failed task did not write. Parameters of one run:

- `full`: compare every version, also those that look unchanged.
- `ml_repos`: copy only these ML repos (ids). `verify` then checks these alone: it makes no run over everything, and \
marks no ML repo as deleted.
- `allow_mass_delete`: disable the delete limit, after a large deletion at the source.
"""


def registry_params() -> dict[str, Param]:
    """The parameters that the tasks read, for the `params` of a DAG. Without them, each has its default."""
    return {
        "full": Param(default=False, type="boolean", title="Compare every version"),
        "ml_repos": Param(default=[], type="array", items={"type": "string"}, title="Only these ML repos (ids)"),
        "allow_mass_delete": Param(default=False, type="boolean", title="Disable the delete limit for this run"),
    }


def retry_arguments(
    pool: str = "default_pool", retries: int = 3, retry_delay: timedelta = timedelta(minutes=1)
) -> dict[str, Any]:
    """The default arguments of the tasks: retries with a delay that doubles."""
    delays = {"retry_delay": retry_delay, "retry_exponential_backoff": True}
    return {"retries": retries, "pool": pool} | delays


def registry_task_group(  # noqa: PLR0913 all are keywords
    group_id: str = "truefoundry_registry",
    *,
    database_conn_id: str,
    pool: str = "default_pool",
    retries: int = 3,
    retry_delay: timedelta = timedelta(minutes=1),
    default_args: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> TaskGroup:
    """Put the tasks of `registry_dag` into the current DAG, as a group. `arguments` are those of `add_registry_tasks`.

    Tasks that use the data come after the group: `group >> task`.
    """
    of_tasks = retry_arguments(pool, retries, retry_delay) | dict(default_args or {})
    with TaskGroup(group_id, tooltip="Copies the model registry", default_args=of_tasks) as group:
        add_registry_tasks(database_conn_id=database_conn_id, **arguments)
    return group


def add_registry_tasks(  # noqa: PLR0913 all are keywords
    *,
    database_conn_id: str,
    truefoundry_conn_id: str = TrueFoundryHook.default_conn_name,
    repos_per_task: int | None = None,
    max_active_syncs: int = 16,
    lock_retry_delay: timedelta = timedelta(minutes=1),
    fail_on_partial: bool = True,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Add the tasks to the current DAG or group: `list_ml_repos`, the mapped `sync`, `verify`."""
    common: dict[str, Any] = {
        "truefoundry_conn_id": truefoundry_conn_id,
        "database_conn_id": database_conn_id,
        "fail_on_partial": fail_on_partial,
        "lock_retry_delay": lock_retry_delay,
    }
    limit = {"allow_mass_delete": _ALLOW}
    listed = TrueFoundryListMlReposOperator(
        task_id="list_ml_repos",
        repos_per_task=repos_per_task,
        truefoundry_conn_id=truefoundry_conn_id,
        database_conn_id=database_conn_id,
        ml_repos=_ML_REPOS,
        options=options,
    )
    synced = TrueFoundrySyncOperator.partial(
        task_id="sync",
        max_active_tis_per_dag=max_active_syncs,
        map_index_template=_NAMES,
        skip_unknown_ml_repos=True,
        options=limit | {"full": _FULL} | _shared_rate(options or {}, max_active_syncs),
        **common,
    ).expand(ml_repos=listed.output)
    TrueFoundryVerifyOperator(
        task_id="verify",
        trigger_rule=TriggerRule.ALL_DONE,
        listed=listed.output,
        synced=synced.output,
        ml_repos=_ML_REPOS,
        outlets=registry_assets(database_conn_id),
        options=limit | dict(options or {}),
        **common,
    )


def _shared_rate(options: Mapping[str, Any], tasks: int) -> dict[str, Any]:
    """The options of each of the parallel tasks: `requests_per_second` is the rate of all of them together."""
    rate = options.get("requests_per_second")
    if rate is None:
        return dict(options)
    try:
        return dict(options) | {"requests_per_second": float(rate) / tasks}
    except ValueError:
        raise ConfigError(f"Invalid requests_per_second {rate!r}: pass a number, which the tasks share.") from None
