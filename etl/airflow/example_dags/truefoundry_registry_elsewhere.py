"""Copy the registry in one task, if Airflow and tfy-etl cannot share an environment (Airflow before 3.2).

Put this file into the DAGs folder, and set PYTHON to that of the environment with tfy-etl. Set TFY_HOST,
TFY_API_KEY_FILE and TFY_ETL_DATABASE_URL in the environment of the workers, so that Airflow sees no secret.
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
    start_date=datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
) as dag:

    @task.external_python(python=PYTHON, expect_airflow=False, skip_on_exit_code=4)
    def sync() -> Any:
        """Run the command. Exit code 4, another run holds the lock, skips the task; others except 0 fail it."""
        import json
        import subprocess
        import sys

        command = [sys.executable, "-m", "etl", "--log-format", "json", "sync", "--output", "json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603 a constant command
        if done.returncode:
            sys.exit(done.returncode)
        return json.loads(done.stdout)

    sync()
