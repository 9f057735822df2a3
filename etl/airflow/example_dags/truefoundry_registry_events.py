"""Copy the registry in one's own DAG, report failures, and start other DAGs when a model goes to production.

Put this file into the DAGs folder, and replace `report_failure` and the tasks after it. The DAGs need the connections
`truefoundry_default` and `registry_db`, and a running `airflow triggerer`.
"""

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from etl.airflow.dags import registry_params, registry_task_group
from etl.airflow.sensors import TrueFoundryChangeSensor
from etl.airflow.triggers import TrueFoundryChangeTrigger

log = logging.getLogger(__name__)


def report_failure(context: dict[str, Any]) -> None:
    """Airflow calls this once a task has failed for good. Send a message to your people here."""
    task_instance = context["task_instance"]
    log.error("task %s failed: %s", task_instance.task_id, context.get("exception"))


with DAG(
    "truefoundry_registry_and_more",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=registry_params(),
    default_args={"on_failure_callback": report_failure},
):

    @task
    def refresh_dashboard() -> None:
        """Use the data, which is complete here."""

    registry_task_group(database_conn_id="registry_db") >> refresh_dashboard()

# The triggerer looks once a minute. All moves of the tag that it finds start one run of the DAG.
production_moved = Asset(
    "production_moved",
    watchers=[
        AssetWatcher(
            name="production_moved",
            trigger=TrueFoundryChangeTrigger(database_conn_id="registry_db", tag="production"),
        )
    ],
)

with DAG("truefoundry_production_moved", schedule=[production_moved], start_date=datetime(2026, 1, 1, tzinfo=UTC)):

    @task
    def announce(triggering_asset_events: Any = None) -> list[str]:
        """Return a sentence for each of the first 20 changes of an event: `fraud-scorer v3: tag production added`."""
        events = [event for events in triggering_asset_events.values() for event in events]
        return [each["sentence"] for event in events for each in event.extra["payload"]["changes"]]

    announce()

with DAG(
    "truefoundry_new_version",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params={"model": "fraud-scorer"},
):
    TrueFoundryChangeSensor(
        task_id="wait_for_version",
        database_conn_id="registry_db",
        model="{{ params.model }}",
        new_versions=True,
    )
