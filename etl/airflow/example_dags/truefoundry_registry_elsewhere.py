"""The registry in one task, where Airflow and tfy-etl cannot share an environment (Airflow before 3.2).

Copy this file into the folder of DAGs, and name the Python of the environment that has tfy-etl. Workers have TFY_HOST,
TFY_API_KEY_FILE and TFY_ETL_DATABASE_URL in their environment, so that Airflow never sees token nor password.
"""

from datetime import datetime, timedelta
from typing import Any

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow.decorators import task
    from airflow.models.dag import DAG

PYTHON = "/opt/tfy-etl/bin/python"

with DAG(
    "truefoundry_registry_elsewhere",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1),  # noqa: DTZ001 UTC
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
) as dag:

    @task.external_python(python=PYTHON, expect_airflow=False, skip_on_exit_code=4)
    def sync() -> Any:
        """Run the command; 4, another run is at work, skips the task, and what is not 0 fails it."""
        import json
        import subprocess
        import sys

        command = [sys.executable, "-m", "etl", "--log-format", "json", "sync", "--output", "json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603 as it stands here
        if done.returncode:
            sys.exit(done.returncode)
        return json.loads(done.stdout)

    sync()
