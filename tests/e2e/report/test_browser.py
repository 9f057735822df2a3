"""The report in Chromium, opened from disk."""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Dialog, Locator, Page

from etl.report.page import page
from etl.store.queries.report import TopRows
from tests.e2e.cli.commands import COMMAND, execute
from tests.e2e.report.sample import grown_registry, with_history
from tests.support.browser import chromium
from tests.support.sync_env import sync_env
from tests.unit.report.builders import quality, report_data, stale
from tests.unit.report.test_page import HOSTILE_TEXTS, rendered

# One worker runs all these tests, because they share the browser.
pytestmark = pytest.mark.timeout(300)

VARIANTS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}


@pytest.fixture(scope="module")
def report(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a registry with a history."""
    folder = tmp_path_factory.mktemp("report")
    database = folder / "registry.db"
    database.write_bytes(migrated_file.read_bytes())
    with sync_env(f"sqlite:///{database}", grown_registry()) as env:
        with_history(env)
    done = execute(COMMAND, "report", "--out", "report.html", "--database-url", f"sqlite:///{database}", cwd=folder)
    assert done.code == 0
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


STALE = "models without a new version for more than 180 days"


@cache
def desktop(browser: Browser) -> BrowserContext:
    """Return a shared context: creating one takes as long as opening the page."""
    return browser.new_context(**VARIANTS["desktop"])


class OpenPage:
    """An open page, with its requests and errors."""

    def __init__(self, browser: Browser, file: Path, **variant: Any) -> None:
        self.page: Page = browser.new_page(**VARIANTS["desktop"] | variant) if variant else desktop(browser).new_page()
        self.page.set_default_timeout(10_000)
        self.requests = list[str]()
        self.errors = list[str]()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._dismiss_dialog)
        self.page.goto(file.as_uri())

    def _dismiss_dialog(self, dialog: Dialog) -> None:
        self.errors.append(dialog.message)
        dialog.dismiss()

    def table(self, name: str) -> Locator:
        return self.page.locator(f'table[data-name="{name}"]')

    def column(self, name: str, number: int) -> list[str]:
        """Return the texts of a column in visible rows."""
        cells = self.table(name).locator(f"tbody tr:visible > :nth-child({number})")
        return [each.strip() for each in cells.all_inner_texts()]

    def sort(self, name: str, heading: str) -> str | None:
        button = self.table(name).get_by_role("button", name=heading, exact=True)
        button.click()
        return str(button.locator("xpath=..").get_attribute("aria-sort"))


def box_of(element: Locator) -> Any:
    """Return position and size of an element."""
    box = element.bounding_box()
    assert box is not None
    return box


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[OpenPage]:
    opened = OpenPage(browser, report)
    yield opened
    opened.page.close()


def test_page_opens_from_disk_without_errors_or_requests(opened: OpenPage, report: Path) -> None:
    opened.page.wait_for_load_state("networkidle")
    assert [url for url in opened.requests if not url.startswith("data:")] == [report.as_uri()]
    assert opened.errors == []


def test_a_script_of_the_page_cannot_send_requests(opened: OpenPage) -> None:
    outcome = opened.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)")
    assert outcome == "TypeError"
    assert any("violates the following Content Security Policy" in each for each in opened.errors)


def test_charts_have_data_and_are_visible(opened: OpenPage) -> None:
    charts = opened.page.locator("svg.chart:visible")
    assert charts.count() == 2
    for chart in charts.all():
        box = box_of(chart.locator(".line"))
        assert box["width"] > 300
        assert box["height"] > 100
        frame = box_of(chart)
        for label in map(box_of, chart.locator("text").all()):
            assert frame["x"] <= label["x"] < label["x"] + label["width"] <= frame["x"] + frame["width"]
    assert opened.page.locator("svg.columns").count() == 6
    assert max(box_of(column)["height"] for column in opened.page.locator("svg.columns rect").all()) > 40
    assert opened.page.locator("svg.spark path").count() > 20
    assert max(box_of(bar)["width"] for bar in opened.page.locator("svg.bar rect").all()) > 50


def test_a_chart_can_be_read_as_a_table(opened: OpenPage) -> None:
    opened.page.locator("summary", has_text="The same in figures").last.click()
    newest = opened.page.locator("table", has_text="Models and versions by month").locator("tbody tr").first
    figure = opened.page.locator(".figures dt", has_text=re.compile("^Models$")).locator("xpath=../dd").first
    assert newest.locator("td").first.inner_text() == figure.inner_text()


def test_each_finding_links_to_a_list_of_the_counted_records(opened: OpenPage) -> None:
    items = opened.page.locator(".attention li")
    assert items.count() > 4
    for item in items.all():
        target = str(item.get_by_role("link").get_attribute("href"))
        item.get_by_role("link").click()
        heading = opened.page.locator(target)
        assert 0 <= box_of(heading)["y"] < 400
        if target != "#metrics":
            rows = heading.locator("xpath=following::table[1]/tbody/tr").count()
            left_out = heading.locator("xpath=following::table[1]").get_attribute("data-left")
            assert rows + int(left_out or 0) == int(item.locator("strong").inner_text())


def test_each_column_sorts_both_ways(opened: OpenPage) -> None:
    opened.page.get_by_role("button", name="Show all").first.wait_for()
    assert opened.sort(STALE, "Age") == "ascending"
    days = [int(each.removesuffix(" days").replace(",", "")) for each in opened.column(STALE, 3)]
    assert days == sorted(days)
    assert opened.sort(STALE, "Age") == "descending"
    days = [int(each.removesuffix(" days").replace(",", "")) for each in opened.column(STALE, 3)]
    assert days == sorted(days, reverse=True)
    assert opened.sort(STALE, "Model") == "ascending"
    names = opened.column(STALE, 1)
    assert names == sorted(names)
    assert opened.table(STALE).locator('th[aria-sort="ascending"]').count() == 1


def test_negative_numbers_sort_below_positive_ones(opened: OpenPage) -> None:
    opened.page.locator("#metrics ~ .unfold").first.click()
    for direction in ("ascending", "descending"):
        assert opened.sort("metrics", "Change") == direction
        values = [float(each.replace("−", "-").replace(",", "").rstrip("%")) for each in opened.column("metrics", 7)]
        assert values == sorted(values, reverse=direction == "descending")
        assert min(values) < 0 < max(values)


def test_unknown_numbers_sort_last_in_both_directions(opened: OpenPage) -> None:
    for direction in ("ascending", "descending"):
        assert opened.sort("models in production", "Behind") == direction
        values = opened.column("models in production", 5)
        assert [each == "–" for each in values] == sorted(each == "–" for each in values)


def test_a_filter_shows_and_counts_the_rows_that_contain_all_its_words(opened: OpenPage) -> None:
    field = opened.page.get_by_label("Filter models in production", exact=True)
    rows = opened.table("models in production").locator("tbody tr")
    all_of_them = rows.count()
    field.fill("PROD risk")
    seen = rows.locator("visible=true").all_inner_texts()
    assert 0 < len(seen) < all_of_them
    assert all("risk" in text and "prod" in text for text in seen)
    assert opened.page.get_by_text(f"{len(seen)} of {all_of_them} rows").is_visible()
    field.fill("")
    assert rows.locator("visible=true").count() == min(all_of_them, 15 if all_of_them > 20 else all_of_them)


def test_a_filter_of_a_truncated_list_counts_the_rows_not_on_the_page(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    cut = report_data(quality=quality(stale=TopRows([stale()] * 10, 8000)))
    file.write_text(page(cut, max_age=timedelta(days=1), redact=str), encoding="utf-8")
    opened = OpenPage(browser, file)
    opened.page.get_by_label(f"Filter {STALE}").fill("no such model")
    assert opened.page.get_by_text("0 of 10 rows; 7,990 more are not on this page").is_visible()
    opened.page.close()


def test_a_long_table_is_collapsed_until_expanded_or_filtered(opened: OpenPage) -> None:
    rows = opened.table(STALE).locator("tbody tr")
    total = rows.count()
    assert total > 20
    assert rows.locator("visible=true").count() == 15
    last = rows.last.locator("th").inner_text()
    opened.page.get_by_label(f"Filter {STALE}").fill(last)
    assert last in opened.column(STALE, 1)
    opened.page.get_by_label(f"Filter {STALE}").fill("")
    button = opened.page.get_by_role("button", name=f"Show all {total} rows")
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert rows.locator("visible=true").count() == total


def test_every_control_is_reachable_by_the_tab_key_and_its_focus_is_visible(opened: OpenPage) -> None:
    expected = opened.page.locator(
        "th button:visible, input:visible, summary:visible, .unfold:visible, a:visible"
    ).count()
    reached = dict[str, int]()
    for _ in range(expected + opened.page.locator(".scroll").count() + 2):
        opened.page.keyboard.press("Tab")
        tag, outline = opened.page.evaluate(
            "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]"
        )
        if tag == "BODY":
            break
        assert outline != "none"
        reached[tag] = reached.get(tag, 0) + 1
    assert sum(reached[tag] for tag in ("BUTTON", "INPUT", "SUMMARY", "A")) == expected
    assert reached["DIV"] > 5  # the tables that scroll


def test_a_column_sorts_by_the_keyboard(opened: OpenPage) -> None:
    button = opened.table(STALE).get_by_role("button", name="Created by", exact=True)
    button.focus()
    opened.page.keyboard.press("Enter")
    creators = opened.column(STALE, 5)
    assert creators == sorted(creators, key=str.lower)


@pytest.mark.parametrize("variant", VARIANTS)
def test_axe_finds_no_violation(variant: str, browser: Browser, report: Path) -> None:
    opened = OpenPage(browser, report, **VARIANTS[variant], bypass_csp=True)  # else axe cannot be injected
    for summary in opened.page.locator("summary").all():
        summary.click()
    found = Axe().run(opened.page).response["violations"]
    opened.page.close()
    assert [(each["id"], each["impact"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_axe_finds_no_violation_on_a_page_with_warnings(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(rendered(HOSTILE_TEXTS["markup"]), encoding="utf-8")
    for scheme in ("light", "dark"):
        opened = OpenPage(browser, file, color_scheme=scheme, bypass_csp=True)
        found = Axe().run(opened.page).response["violations"]
        opened.page.close()
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def layout_of(browser: Browser, file: Path, text: str) -> tuple[Any, ...]:
    """Render the page with this text in every field; return its headings, their positions, and its width."""
    file.write_text(rendered(text), encoding="utf-8")
    opened = OpenPage(browser, file)
    assert opened.errors == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [file.as_uri()]
    headings = opened.page.locator("h2, thead th").all_inner_texts()
    left = opened.page.evaluate("Array.from(document.querySelectorAll('h2'), (e) => e.getBoundingClientRect().x)")
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    opened.page.close()
    return headings, left, width


@pytest.fixture(scope="module")
def plain_layout(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    return layout_of(browser, tmp_path_factory.mktemp("plain") / "plain.html", "registry-text")


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_no_text_of_the_registry_runs_a_script_or_changes_the_layout(
    text: str, browser: Browser, plain_layout: tuple[Any, ...], tmp_path: Path
) -> None:
    assert layout_of(browser, tmp_path / "tricked.html", text) == plain_layout


def test_right_to_left_text_does_not_change_the_order_of_columns(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(rendered("נתון 1 \u202e 2"), encoding="utf-8")
    opened = OpenPage(browser, file)
    row = opened.table("models in production").locator("tbody tr").first
    lefts = [box_of(cell)["x"] for cell in row.locator("th, td").all()]
    opened.page.close()
    assert lefts == sorted(lefts)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_page_fits_its_window_and_follows_the_colour_scheme(variant: str, browser: Browser, report: Path) -> None:
    opened = OpenPage(browser, report, **VARIANTS[variant])
    assert opened.page.evaluate("document.documentElement.scrollWidth") == VARIANTS[variant]["viewport"]["width"]
    background = opened.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    lightness = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
    assert (lightness < 60) == (variant == "dark")
    opened.page.close()


def test_without_scripts_every_row_is_visible(browser: Browser, report: Path) -> None:
    opened = OpenPage(browser, report, java_script_enabled=False)
    assert opened.page.locator("button, input").count() == 0
    assert opened.table(STALE).locator("tbody tr:visible").count() > 20
    opened.page.close()


def test_the_page_prints_every_row_without_controls_in_dark_text(opened: OpenPage, browser: Browser) -> None:
    opened.page.emulate_media(media="print", color_scheme="dark")
    assert opened.page.locator("nav, input, .unfold").locator("visible=true").count() == 0
    colour = opened.page.evaluate("getComputedStyle(document.body).color")
    assert colour == "rgb(0, 0, 0)"
    rows = opened.table(STALE).locator("tbody tr")
    assert rows.locator("visible=true").count() == rows.count() > 20
    assert opened.page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
