"""All SQL: staging, merge, tombstones, the run record, the lock, the schema's revision, and what others read.

store       what a run uses: lock, staging, settling, the one commit
staging     pages held against what is stored, in the temporary tables of `tables`
settle      what is gone, what comes back, the counts, the guard
merge       the one transaction
abreast     what runs over other ML repos merged since this one compared
runs        the run record and the scopes
contents    all tables and views, read row by row in one snapshot
rejects     records that could not be stored
prune       what is old in the runs' own tables
browsing    a SQLite file for Datasette, which brings queries of its own
schema      revisions: what the database has, what this release needs; migrate goes from one to another, by Alembic;
            comments says in the database what each table and column is
engine      from a URL to an engine; sqlite and postgresql hold what differs by database
"""

from etl.store import queries, rejected_records, runs, schema
from etl.store.engine import lock_is_free, open_engine, opened, server_of
from etl.store.merge import Supersede
from etl.store.reconcile import EmptiedRepo, Tally
from etl.store.rejected_records import Gone, Reject
from etl.store.retention import PRUNED, Old
from etl.store.runs import Advance, Coverage
from etl.store.staging import Known, Observed, Staging
from etl.store.store import Store, open_readonly

__all__ = [
    "PRUNED",
    "Advance",
    "Coverage",
    "EmptiedRepo",
    "Gone",
    "Known",
    "Observed",
    "Old",
    "Reject",
    "Staging",
    "Store",
    "Supersede",
    "Tally",
    "lock_is_free",
    "open_engine",
    "open_readonly",
    "opened",
    "queries",
    "rejected_records",
    "runs",
    "schema",
    "server_of",
]
