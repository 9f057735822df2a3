"""The queries of the report, mostly from the views.

Call the functions within the transaction of `open_snapshot`, so that all of them read the same state.

`rows`         One state of the database for all queries, and lists that are cut.
`totals`       Totals of the registry, and counts of changes.
`daily_counts` Records that began and ended, and changes of tags, by day.
`production`   Versions in production, and the periods in which versions were.
`quality`      Stale and undocumented models.
`makeup`       Frameworks, packages, Python, base models and ML repos.
`metrics`      Metrics over versions.
`run_history`  Runs, rejected records and missing versions.
"""

from etl.store.queries.report import daily_counts, makeup, metrics, production, quality, run_history, totals
from etl.store.queries.report.rows import Row, TopRows, open_snapshot

__all__ = [
    "Row",
    "TopRows",
    "daily_counts",
    "makeup",
    "metrics",
    "open_snapshot",
    "production",
    "quality",
    "run_history",
    "totals",
]
