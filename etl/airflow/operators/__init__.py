"""Operators.

`list_ml_repos`  List the ML repos, in batches.
`sync`           Sync some ML repos, or everything.
`verify`         End a DAG run: check that every ML repo was synced, then sync everything.

Airflow imports this package whenever it parses DAGs, so the modules import what runs need inside functions.
"""

from etl.airflow.operators.list_ml_repos import TrueFoundryListMlReposOperator, balanced_batches, batches
from etl.airflow.operators.sync import TrueFoundrySyncOperator
from etl.airflow.operators.verify import TrueFoundryVerifyOperator

__all__ = [
    "TrueFoundryListMlReposOperator",
    "TrueFoundrySyncOperator",
    "TrueFoundryVerifyOperator",
    "balanced_batches",
    "batches",
]
