"""A page on the registry for people who do not write SQL: one file that needs nothing beside itself.

facts      everything that it tells, read in one moment
judgement  what the facts ask for: warnings, and what to do
figures    from facts to headline, growth, mixes and metrics
charts     pictures, by pygal
words      numbers and times as they are written, and texts of the registry, made safe
page       all of it in the template, behind a policy that lets nothing in or out
files      the file that it goes into: whole, or as it was before
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from etl.errors import EtlError
from etl.report.data import gather
from etl.report.files import replace
from etl.report.page import page

__all__ = ["render", "replace"]


def render(database_url: str, *, stale_after: timedelta, max_age: timedelta, redact: Callable[[str], str]) -> str:
    """The page as HTML. EtlError where no run has written anything that it could tell of."""
    data = gather(database_url, datetime.now(UTC), stale_after)
    if data is None:
        raise EtlError("No run has written anything yet: run tfy-etl sync, then tfy-etl report.")
    return page(data, max_age=max_age, redact=redact)
