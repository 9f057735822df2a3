"""All SQL that writes: staging, merge, tombstones, the run record, the lock, the schema's revision."""

from etl.store import runs, schema
from etl.store.engine import database_of, explained, is_new_file, open_engine, writing
from etl.store.merge import merge
from etl.store.settle import Tally, doom, guard, revive, tallies
from etl.store.staging import Known, Seen, Staging

__all__ = [
    "Known",
    "Seen",
    "Staging",
    "Tally",
    "database_of",
    "doom",
    "explained",
    "guard",
    "is_new_file",
    "merge",
    "open_engine",
    "revive",
    "runs",
    "schema",
    "tallies",
    "writing",
]
