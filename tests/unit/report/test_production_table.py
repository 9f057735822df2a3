"""The table of models in production."""

import re
from datetime import timedelta

from etl.report.page import page
from tests.unit.report.builders import NOW, a_model, a_version, production, report_data, with_history

DAY = timedelta(days=1)


def test_each_production_version_of_a_model_shows_its_python() -> None:
    model = a_model(a_version(2, python_version="3.12.1"), a_version(1, python_version="3.8.20"))
    html = page(report_data(production=production(model)), max_age=DAY, redact=str)
    (cell,) = re.findall(r"<td>(<span class=.release.><bdi>3\.12\.1</bdi></span>.*?)</td>", html)
    assert '<bdi>3.8.20</bdi> <span class="mark">no fixes</span>' in cell


def test_version_that_the_source_no_longer_lists_is_marked_as_last_known() -> None:
    model = a_model(a_version(2), a_version(1, superseded_at=NOW - DAY))
    html = page(with_history(missing_versions=0), max_age=DAY, redact=str)
    assert "since that day, the source lists a later version only." in html
    assert "last known, " not in html
    marked = page(report_data(production=production(model)), max_age=DAY, redact=str)
    assert marked.count('<span class="quiet">last known, 2026-11-25</span>') == 1
