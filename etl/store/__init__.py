"""All SQL: lock, staging, reconcile, merge, the run's record, migrations, and queries.

`store`             The database as a run uses it: connection, lock, schema, the one commit.
`repo_scope`        Which ML repos a run covers.
`staging`           Stages rows in temporary tables, and reads what is stored for comparison.
`staging_tables`    The temporary tables.
`staging_queries`   Their statements.
`reconcile`         Compares staging with the tables: deletes, restores, counts, the delete limit.
`totals`            Counts the live records.
`merge`             The one transaction of a run.
`concurrent_runs`   Adapts staging to the rows that runs over other ML repos have merged since.
`runs`              The records of runs.
`scope_states`      The state of each scope after its last complete run.
`rejected_records`  Records that could not be stored.
`retention`         Deletes old run history.
`vocabulary`        The words by which views judge: labels of production, metrics that should be low.
`schema`            The revision that the database has, and the one that this release needs.
`migrate`           Moves the schema from one revision to another, through Alembic.
`comments`          Writes the comments of tables, views and columns to the database.
`engine`            Creates an engine from a URL, and translates the drivers' errors.
`dialects`          The differences between SQLite and PostgreSQL.
`queries`           The queries of other commands: changes, report, export, explore, demo.
"""

from etl.store import queries, reconcile, rejected_records, runs, schema, scope_states, totals
from etl.store.engine import check_lock_free, describe_database, engine_scope, open_engine
from etl.store.merge import SupersedeMode
from etl.store.reconcile import EmptiedRepo, Tally
from etl.store.rejected_records import MissingRecords, Reject
from etl.store.repo_scope import ALL_REPOS, RepoScope
from etl.store.retention import PRUNED, ExpiredHistory
from etl.store.scope_states import NewScopeState, ScopeState
from etl.store.staging import Known, Observed, Staging
from etl.store.store import Store, open_readonly
from etl.store.vocabulary import Vocabulary

__all__ = [
    "ALL_REPOS",
    "PRUNED",
    "EmptiedRepo",
    "ExpiredHistory",
    "Known",
    "MissingRecords",
    "NewScopeState",
    "Observed",
    "Reject",
    "RepoScope",
    "ScopeState",
    "Staging",
    "Store",
    "SupersedeMode",
    "Tally",
    "Vocabulary",
    "check_lock_free",
    "describe_database",
    "engine_scope",
    "open_engine",
    "open_readonly",
    "queries",
    "reconcile",
    "rejected_records",
    "runs",
    "schema",
    "scope_states",
    "totals",
]
