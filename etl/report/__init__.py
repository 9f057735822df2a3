"""A report on the registry for people who do not write SQL: one self-contained HTML file.

`data`        The data of the report, read from one snapshot of the database.
`findings`    Warnings about the data, and what needs attention.
`metrics`     Headline figures, growth, distributions and metrics, computed from the data.
`charts`      SVG charts, by pygal.
`formatting`  Numbers and times as text, and registry text as safe HTML.
`page`        The HTML page, with a Content-Security-Policy that allows no requests.
`files`       Replaces the report file in one step.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from etl.errors import EtlError
from etl.report.data import gather
from etl.report.files import replace
from etl.report.page import page

__all__ = ["render", "replace"]


def render(database_url: str, *, stale_after: timedelta, max_age: timedelta, redact: Callable[[str], str]) -> str:
    """Render the report as HTML. Raises EtlError if no run has written anything yet."""
    data = gather(database_url, datetime.now(UTC), stale_after)
    if data is None:
        raise EtlError("No run has written anything yet: run tfy-etl sync, then tfy-etl report.")
    return page(data, max_age=max_age, redact=redact)
