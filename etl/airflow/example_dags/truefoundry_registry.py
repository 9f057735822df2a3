"""Copy the registry every hour: put this file into the DAGs folder.

The DAG needs two connections, `truefoundry_default` and `registry_db`; docs/how-to/airflow.md
explains how to create them.
"""

from etl.airflow.dags import registry_dag

dag = registry_dag(database_conn_id="registry_db", schedule="@hourly")
