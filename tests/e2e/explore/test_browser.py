"""The pages in Chromium: layout, links and forms. No text of the registry runs as a script."""

import re
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe

from etl.explore.columns import TABLES
from tests.e2e.explore.conftest import Explored
from tests.support.browser import Window
from tests.support.marked_up_registry import MARKUP
from tests.support.patience import patience

# One worker runs all these tests, because the browser and the registry are shared.
pytestmark = pytest.mark.timeout(300)

VARIANTS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "dark phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}


def marked_up(explored: Explored) -> tuple[str, str]:
    """The ids of the model whose name is markup, and of its first version."""
    (model,) = [row["id"] for row in explored.env.rows(TABLES["models"]) if row["name"] == MARKUP]
    versions = [row for row in explored.env.rows(TABLES["model_versions"]) if row["model_id"] == model]
    return model, min(versions, key=lambda row: row["version"])["id"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_page_fits_its_window_and_axe_finds_no_violation(
    variant: str, browser: object, explored: Explored
) -> None:
    model, version = marked_up(explored)
    host = explored.url.rpartition("/")[0]
    with Window.of(browser, host, bypass_csp=True, **VARIANTS[variant]) as window:  # else axe cannot be injected
        for path in (
            "",
            f"/models/{model}",
            f"/model_versions/{version}",
            f"/compare_versions?model={model}&from=1&to=2",
            "/compare_moments?from=1d",
            "/stale_for_days?days=0&_size=3&_next=3",
            "/current_model_versions?version__gt=1&_facet=framework_type&_sort=version",
            "?sql=select+:a",
        ):
            window.go(explored.url + path)
            window.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
            width = window.page.evaluate("document.documentElement.scrollWidth")
            assert width == VARIANTS[variant]["viewport"]["width"], path
            found = Axe().run(window.page).response["violations"]
            violations = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
            assert violations == [], path
            assert window.page.evaluate("window.hacked") is None
            assert window.page.locator("main :is(img, script, style, a[href^=javascript])").count() == 0
        lightness = window.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", lightness)[:3])) < 180) == variant.startswith("dark")


def test_model_is_found_by_a_part_of_its_name_and_leads_to_its_versions(explored: Explored, window: Window) -> None:
    model, version = marked_up(explored)
    window.go(explored.url)
    window.page.get_by_label("Find a model").fill("window.hacked")
    window.page.keyboard.press("Enter")
    window.page.get_by_role("link", name=MARKUP).first.click()
    window.page.wait_for_url(f"{explored.url}/models/{model}")
    assert window.page.evaluate("window.hacked") is None
    window.page.get_by_role("link", name="v1", exact=True).first.click()
    window.page.wait_for_url(f"{explored.url}/model_versions/{version}")
    window.page.get_by_role("link", name="All changes, field by field").click()
    window.page.wait_for_url("**/changes?*")
    assert "tag_added" in window.text("td.col-kind")


def test_a_question_has_a_form_for_its_parameter(explored: Explored, window: Window) -> None:
    window.go(explored.url)
    window.page.get_by_role("link", name="Which models have had no version for more than a number of days?").click()
    shown = []
    for days in ("0", "36500"):
        window.page.get_by_label("days").fill(days)
        window.page.get_by_role("button", name="Show").click()
        window.page.wait_for_url(f"**days={days}*")
        shown.append(len(window.text("td.col-model_name")))
    assert shown == [len(explored.env.registry.ids("models")), 0]


def test_a_form_filters_and_sorts_a_table(explored: Explored, window: Window) -> None:
    window.go(f"{explored.url}/current_model_versions")
    window.page.get_by_text("Filter and sort").click()
    window.page.get_by_label("Column").select_option("version")
    window.page.get_by_label("Value").fill("2")
    window.page.get_by_label("Sort by").select_option("created_at")
    window.page.get_by_label("descending").check()
    window.page.get_by_role("button", name="Apply").click()
    window.page.wait_for_url("**_sort_desc=created_at*")
    assert set(window.text("td.col-version")) == {"v2"}
    times = window.text("td.col-created_at")
    assert times == sorted(times, reverse=True)


def test_large_value_is_truncated_in_lists_and_complete_on_its_page(explored: Explored, window: Window) -> None:
    _model, version = marked_up(explored)
    (row,) = [row for row in explored.env.rows(TABLES["model_versions"]) if row["id"] == version]
    assert row["description"] == MARKUP * 4000
    window.go(f"{explored.url}/model_versions?id={version}")
    assert len(window.page.locator("td.col-description").text_content()) < 3000
    window.go(f"{explored.url}/model_versions/{version}")
    assert window.page.locator("td.col-description").text_content().strip() == row["description"]
    assert window.page.evaluate("window.hacked") is None


def test_reloaded_page_shows_a_new_run(explored: Explored, window: Window) -> None:
    window.go(f"{explored.url}/sync_runs")
    before = len(window.text("td.col-status"))
    explored.env.sync()
    window.page.reload()
    assert len(window.text("td.col-status")) == before + 1
    assert (
        httpx.get(f"{explored.url}/sync_runs.json?_size=0", timeout=patience()).json()["filtered_table_rows_count"]
        == before + 1
    )
