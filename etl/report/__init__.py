"""A report on the registry for people who do not write SQL: one self-contained HTML file.

`data`            The data of the report.
`gather`          Reads the data from one snapshot of the database.
`caveats`         Reasons to doubt the data.
`key_figures`     Key figures, and what moved in production.
`findings`        What needs attention, worst first, each with its list.
`activity`        Events by week, and the newest changes in sentences.
`growth`          Models and versions over time.
`quality`         Shares: documentation, Python, packages, frameworks.
`metrics`         Metrics that got worse.
`python_support`  Which Python versions get security fixes.
`weeks`           The weeks of the activity charts.
`charts`          The geometry of charts, which templates draw as SVG.
`links`           Links to the control plane's page of a model.
`formatting`      Numbers and times as text, and registry text as safe HTML.
`page`            The HTML page, with a Content-Security-Policy that allows no requests.
`files`           Replaces the report file in one step.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from etl.errors import EtlError
from etl.report.files import replace
from etl.report.gather import gather
from etl.report.page import page

__all__ = ["render", "replace"]


def render(
    database_url: str,
    *,
    stale_after: timedelta,
    max_age: timedelta,
    redact: Callable[[str], str],
    model_url: str | None = None,
) -> str:
    """Render the report as HTML; `model_url` is the template of links to models.

    Raises EtlError if no run has written anything yet.
    """
    with_repo_ids = model_url is not None and "{ml_repo_id}" in model_url
    data = gather(database_url, datetime.now(UTC), stale_after, with_repo_ids=with_repo_ids)
    if data is None:
        raise EtlError("No run has written anything yet: run tfy-etl sync, then tfy-etl report.")
    return page(data, max_age=max_age, redact=redact, model_url=model_url)
