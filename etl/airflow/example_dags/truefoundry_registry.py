"""The registry, copied every hour by Airflow: put this file into the folder of DAGs.

It takes two connections, `truefoundry_default` and `registry_db`; docs/airflow.md says how to make them.
"""

from etl.airflow.dags import registry_dag

dag = registry_dag(database_conn_id="registry_db", schedule="@hourly")
