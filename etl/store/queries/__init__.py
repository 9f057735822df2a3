"""The queries of commands other than `sync`, one module for each.

`report`   Counts and lists for the report.
`export`   The rows of all tables and views, from one snapshot.
`explore`  A read-only SQLite connection for Datasette.
`demo`     The queries of the demonstration.
"""

from etl.store.queries import demo, explore, export, report

__all__ = ["demo", "explore", "export", "report"]
