"""The queries of commands other than `sync`, one module for each.

`report`           Counts and lists for the report.
`changes`          Recorded changes, with names.
`change_watch`     The changes since a position, for programs that wait for them.
`diff`             What differs between two moments, and the rows of a version.
`planned_changes`  The changes that a run has staged, with names.
`change_names`     Joins changes with names, for both.
`names`            The names of ML repos.
`export`           The rows of all tables and views, from one snapshot.
`explore`          A read-only SQLite connection for Datasette.
`record_pages`     What the pages of a model and of a version show.
`demo`             The queries of the demonstration.
"""

from etl.store.queries import (
    change_watch,
    changes,
    demo,
    diff,
    explore,
    export,
    names,
    planned_changes,
    record_pages,
    report,
)

__all__ = [
    "change_watch",
    "changes",
    "demo",
    "diff",
    "explore",
    "export",
    "names",
    "planned_changes",
    "record_pages",
    "report",
]
