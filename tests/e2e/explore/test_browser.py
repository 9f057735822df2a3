"""The pages of Datasette in Chromium."""

from http import HTTPStatus

import httpx
import pytest

from etl.explore.description import TABLES, VIEWS
from etl.explore.queries import QUERIES
from tests.e2e.explore.conftest import MARKUP, NASTY, Explored
from tests.support.browser import Window
from tests.support.patience import patience

# One worker has the browser and the registry.


def test_start_page_links_to_every_table_view_and_query(explored: Explored, window: Window) -> None:
    window.go(explored.url)
    assert window.text("h1") == ["Model registry"]
    links = {each.get_attribute("href").rpartition("/")[2] for each in window.page.locator("a").all()}
    assert links >= {*TABLES, *VIEWS, *(query.name for query in QUERIES)}
    assert "tfy_etl_version" not in window.text(".db-table h2 a")


def test_row_links_to_the_rows_it_refers_to(explored: Explored, window: Window) -> None:
    window.go(f"{explored.url}/models")
    repo = explored.env.rows(TABLES["ml_repos"])[0]
    label = window.page.locator("td.col-ml_repo_id a", has_text=repo["name"]).first
    label.click()
    window.page.wait_for_load_state("networkidle")
    assert window.page.url == f"{explored.url}/ml_repos/{repo['id']}"
    assert window.page.get_by_text("from ml_repo_id in models").count() == 1


def test_columns_show_their_descriptions(explored: Explored, window: Window) -> None:
    window.go(f"{explored.url}/production_versions")
    descriptions = dict(
        zip(window.text(".column-descriptions dt"), window.text(".column-descriptions dd"), strict=True)
    )
    assert descriptions == {column.name: column.comment for column in VIEWS["production_versions"].columns}
    assert VIEWS["production_versions"].comment in window.page.locator("body").inner_text()


def test_facets_show_counts_and_link_to_their_rows(explored: Explored, window: Window) -> None:
    window.go(f"{explored.url}/tag_assignments")
    facet = window.page.locator("#facet-tag li", has_text="given-lately")
    assert facet.inner_text().split() == ["given-lately", "1"]
    facet.locator("a").first.click()
    window.page.wait_for_load_state("networkidle")
    assert window.text("td.col-tag") == ["given-lately"]


def test_query_takes_its_parameter_from_a_form(explored: Explored, window: Window) -> None:
    window.go(f"{explored.url}/stale_for_days")
    shown = []
    for days in ("-1", "36500"):
        window.page.get_by_label("days").fill(days)
        window.page.locator("input[type=submit]").first.click()
        window.page.wait_for_load_state("networkidle")
        shown.append(len(window.text("td.col-model_name")))
    assert shown == [len(explored.env.registry.ids("models")), 0]


def test_markup_is_escaped_on_every_page(explored: Explored) -> None:
    opened = 0
    for name in (*TABLES, *VIEWS, *(query.name for query in QUERIES)):
        page = httpx.get(f"{explored.url}/{name}", timeout=patience())
        assert page.status_code == HTTPStatus.OK, name
        assert "<script>window.hacked" not in page.text, name
        assert "<img src=x" not in page.text, name
        assert "href=javascript" not in page.text.replace("'", "").replace('"', ""), name
        opened += "&lt;script&gt;window.hacked" in page.text
    assert opened > len(TABLES)


@pytest.mark.parametrize("name", ["model_versions", "current_models"])
def test_markup_does_nothing_in_the_browser(name: str, explored: Explored, window: Window) -> None:
    window.go(f"{explored.url}/{name}")
    assert window.page.evaluate("window.hacked") is None
    assert window.page.locator("td img, td script, td style, td a[href^=javascript]").count() == 0
    assert window.page.locator("footer").is_visible()


def test_registry_text_is_shown_unchanged(explored: Explored, window: Window) -> None:
    window.go(f"{explored.url}/current_models")
    names = window.page.locator("td.col-name").all_text_contents()
    assert set(NASTY) <= {name.strip() for name in names}


def test_large_value_is_truncated_in_lists_and_complete_on_its_page(explored: Explored, window: Window) -> None:
    (row,) = [row for row in explored.env.rows(TABLES["model_versions"]) if row["version_alias"] == MARKUP]
    assert row["description"] == MARKUP * 4000
    window.go(f"{explored.url}/model_versions?id={row['id']}")
    assert len(window.page.locator("td.col-description").text_content()) < 3000
    window.go(f"{explored.url}/model_versions/{row['id']}")
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
