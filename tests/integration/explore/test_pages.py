"""Contents of the pages, which support only SQLite."""

import csv
import html
import io
import re
from urllib.parse import parse_qsl

import pytest

from etl.explore.columns import TABLES, VIEWS
from etl.explore.questions import QUESTIONS
from tests.integration.explore.conftest import Pages, assert_harmless, text
from tests.support.marked_up_registry import MARKUP, NASTY, STORED

NAMES = (*TABLES, *VIEWS, *(query.name for query in QUESTIONS))
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234) SELECT i FROM n"


@pytest.fixture(scope="module")
def every_page(pages: Pages) -> dict[str, str]:
    """The first page of each table, view and question."""
    return {name: pages.html(f"/{name}") for name in NAMES}


@pytest.fixture(scope="module")
def model(pages: Pages) -> dict[str, object]:
    """The model whose name is markup."""
    (found,) = pages.rows("/models", name=MARKUP)
    return found


@pytest.fixture(scope="module")
def version(pages: Pages, model: dict[str, object]) -> dict[str, object]:
    """The first version of this model, whose tags were moved."""
    (found,) = pages.rows("/model_versions", model_id=model["id"], version=1)
    return found


def test_start_page_has_questions_then_views_then_tables_and_sql_last(pages: Pages) -> None:
    page = pages.html("")
    order = [
        page.index(part)
        for part in (">Questions</h2>", ">Last changes<", ">Views</h2>", '/model_versions"', '/sync_runs"', "<textarea")
    ]
    assert order == sorted(order)
    assert {f'href="/registry/{name}"' for name in NAMES} <= set(re.findall(r'href="/registry/\w+"', page))
    assert "tfy_etl_version" not in page
    assert "12 models with 24 versions in 2 ML repos . The last complete run of the whole registry began at" in text(
        page
    )
    assert "tag given-lately added" in text(page)
    assert pages._runner.run(pages._datasette.client.get("/")).headers["location"] == "/registry"


def test_markup_is_escaped_on_every_page(
    pages: Pages, every_page: dict[str, str], model: dict[str, object], version: dict[str, object]
) -> None:
    escaped = 0
    records = (f"/models/{model['id']}", f"/model_versions/{version['id']}", "/ml_repos/1")
    others = {path: pages.html(path) for path in ("", *records, f"?sql=SELECT '{MARKUP}'")}
    for path, page in (every_page | others).items():
        assert_harmless(page, path)
        escaped += "&lt;script&gt;window.hacked" in page
    assert escaped > len(VIEWS)


def test_page_of_a_model_shows_versions_metrics_production_and_changes(pages: Pages, model: dict[str, object]) -> None:
    page = pages.html(f"/models/{model['id']}")
    shown = text(page)
    assert re.search(
        r"v1 is in production as prod and entered it after 20[-\d]+ [:\d]+ ; the run of 20[-\d]+ [:\d]+ found it\.",
        shown,
    )
    assert page.count('<polyline points="') >= 1
    assert "v1 : tag </td></table></script><script>window.ha… added" in shown
    for each in pages.rows("/model_versions", model_id=model["id"]):
        assert f'href="/registry/model_versions/{each["id"]}">v{each["version"]}</a>' in page
    assert f'href="/registry/model_timeline?model_id__exact={model["id"]}&amp;_sort_desc=observed_at"' in page
    assert "The source does not say who made it." in shown


def test_page_of_a_version_links_to_its_model_its_neighbour_and_its_changes(
    pages: Pages, model: dict[str, object], version: dict[str, object]
) -> None:
    page = pages.html(f"/model_versions/{version['id']}")
    assert f'<h1><a href="/registry/models/{model["id"]}">' in page
    (later,) = pages.rows("/model_versions", model_id=model["id"], version=2)
    assert f'<a rel="next" href="/registry/model_versions/{later["id"]}">Next: v2</a>' in page
    changes = f"/registry/changes?entity__exact=model_versions&entity_id__exact={version['id']}"
    assert changes.replace("&", "&amp;") in page
    recorded = pages.rows("/changes", entity="model_versions", entity_id=version["id"])
    assert {each["kind"] for each in recorded} >= {"tag_added", "updated"}
    assert f"tag &#34;{STORED[:3]}" in page


def test_names_are_links_in_place_of_ids(pages: Pages, every_page: dict[str, str]) -> None:
    ids = {row["id"] for name in ("models", "model_versions", "subjects") for row in pages.rows(f"/{name}")}
    for name in {*NAMES} - {"version_read_state"}:  # its key is the id of a model
        cells = re.findall(r'<td class="col-(\w+)[^>]*>(.*?)</td>', every_page[name], re.DOTALL)
        bare = [(column, cell) for column, cell in cells if text(cell) in ids and not column.endswith("_value")]
        assert bare == [], name
    page = every_page["production_versions"]
    assert re.search(r'<td class="col-model_name[^>]*><a href="/registry/models/[^"]+">', page)
    assert re.search(r'<td class="col-version[^>]*><a href="/registry/model_versions/[^"]+">v\d', page)
    assert re.search(r'<td class="col-ml_repo_name[^>]*><a href="/registry/current_models\?ml_repo_name__exact=', page)
    numbers = re.findall(
        r'<td class="col-from_version[^>]*><a href="/registry/model_versions[?](.+?)">v(\d+)<',
        every_page["metric_changes"],
    )
    assert numbers
    for filters, number in numbers:
        (row,) = pages.rows("/model_versions", **dict(parse_qsl(html.unescape(filters))))
        assert row["version"] == int(number)


def test_values_are_formatted_for_people_and_exact_on_request(pages: Pages) -> None:
    for path in ("/model_versions", "?sql=SELECT created_at, deployable, artifact_size_bytes FROM model_versions"):
        cells = re.findall(r'<td class="col-(\w+)[^>]*>(.*?)</td>', pages.html(path), re.DOTALL)
        shown = {(column, text(cell)) for column, cell in cells}
        assert {value for column, value in shown if column == "deployable"} <= {"yes", "no", ""}
        for column, form in (("created_at", r"\d{4}-\d\d-\d\d \d\d:\d\d"), ("artifact_size_bytes", r"\d+\.\d [kMG]B|")):
            values = [value for name, value in shown if name == column]
            assert values
            assert [value for value in values if not re.fullmatch(form, value)] == []
    exact = pages.html("/model_versions", _exact=1)
    assert all(f">{row['created_at']}</td>" in exact for row in pages.rows("/model_versions"))
    assert all(f">{row['id']}</td>" in exact for row in pages.rows("/model_versions"))


def test_columns_facets_and_filters_are_collapsed_until_they_are_used(pages: Pages) -> None:
    page = pages.html("/tag_assignments")
    assert page.count("<details>") == 4
    assert [each for each in VIEWS["tag_assignments"].columns if f"<dt>{each.name}</dt>" not in page] == []
    used = pages.html("/tag_assignments", tag="given-lately")
    assert "<details open>\n  <summary>Filter and sort" in used
    assert "facet-info" not in used
    assert '1 row where tag = "given-lately"' in text(used)


def test_filters_compare_numbers_flags_and_times_by_value(pages: Pages) -> None:
    """Datasette itself binds text, which SQLite compares as larger than every number."""
    models, versions = pages.rows("/production_models"), pages.rows("/current_model_versions")
    created = sorted(row["created_at"] for row in versions)[5]
    changes = [row["relative_change"] for row in pages.rows("/metric_changes") if row["relative_change"] is not None]
    for found, expected in (
        (
            pages.rows("/production_models", production_versions=0),
            sum(not row["production_versions"] for row in models),
        ),
        (pages.rows("/current_model_versions", is_latest="yes"), len(models)),
        (pages.rows("/current_model_versions", created_at__lt=f"{created[:10]}T{created[11:]}Z"), 5),
        (pages.rows("/metric_changes", relative_change__lt="-0.1"), sum(each < -0.1 for each in changes)),
    ):
        assert 0 < len(found) == expected
    for filters, answer in (
        ({"created_at__gt": "soon"}, "created_at: 'soon' is not a time. Write 2026-05-01"),
        ({"version__lt": "two"}, "version: 'two' is not a number."),
        ({"is_latest": "perhaps"}, "is_latest: 'perhaps' is neither yes nor no."),
    ):
        wrong = pages.response("/current_model_versions", **filters)
        assert wrong.status_code == 400
        assert answer in html.unescape(wrong.text)


def test_counts_by_a_column_link_to_their_rows(pages: Pages) -> None:
    (path,) = re.findall(r'href="/registry([^"]*_facet=tag)">tag</a>', pages.html("/tag_assignments"))
    page = pages.html(path)
    assert "<details open>\n  <summary>Counts" in page
    (chosen,) = re.findall(r'href="[^"]*/registry([^"]*)"><bdi>given-lately</bdi></a> 1</li>', page)
    assert [row["tag"] for row in pages.rows("/tag_assignments", tag="given-lately")] == ["given-lately"]
    assert "tag=given-lately" in chosen


def test_result_of_a_query_has_pages_until_its_end(pages: Pages) -> None:
    seen, path = list[str](), f"?sql={NUMBERS}"
    while path:
        page = pages.html(path.replace(" + ", " %2B "))
        seen += re.findall(r'<td class="col-i[^>]*>(\d+)</td>', page)
        path = "".join(re.findall(r'rel="next" href="/registry([^"]*)"', page)).replace("&amp;", "&")
    assert seen == [str(number) for number in range(1, 1235)]
    assert "Rows 1,201 to 1,234" in text(page)
    lines = list(csv.reader(io.StringIO(pages.html(".csv", sql=NUMBERS, _size="max"))))
    assert len(lines) == 1235
    assert len(pages.rows("", sql=NUMBERS, _size="max")) == 1234
    assert len(pages.rows("", sql=NUMBERS, _next=1230)) == 4
    assert pages.response("", sql=NUMBERS, _next="no number").status_code == 400


def test_question_has_pages_and_keeps_its_parameters(pages: Pages) -> None:
    all_rows = pages.rows("/stale_for_days", days="0")
    page = pages.html("/stale_for_days", days="0", _size=5)
    (rest,) = re.findall(r'rel="next" href="/registry([^"]*)"', page)
    assert "days=0" in rest
    names = [row["model_id"] for row in all_rows]
    assert [row["model_id"] for row in pages.rows("/stale_for_days", days="0", _size=5)] == names[:5]
    assert [row["model_id"] for row in pages.rows("/stale_for_days", days="0", _size=100, _next=5)] == names[5:]


def test_csv_of_a_table_has_every_row(pages: Pages) -> None:
    page = pages.html("/model_version_metrics", _size=2)
    (path,) = re.findall(r'href="/registry([^"]*)">CSV', page)
    found = list(csv.DictReader(io.StringIO(pages.html(path.replace("&amp;", "&").replace("_size=max", "_size=3")))))
    assert len(found) == len(pages.env.rows(TABLES["model_version_metrics"]))


def test_text_that_no_page_can_contain_is_shown_as_stored(pages: Pages) -> None:
    (found,) = pages.rows("/models", name=STORED)
    page = pages.html(f"/models/{found['id']}")
    assert f"<h1><bdi>{STORED}</bdi></h1>" in page
    (version, *_) = pages.rows("/model_versions", model_id=found["id"], version=1)
    assert STORED in pages.html(f"/model_versions/{version['id']}")


def test_registry_text_is_shown_unchanged(pages: Pages) -> None:
    names = {
        html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()
        for cell in re.findall(r'<td class="col-name[^>]*>(.*?)</td>', pages.html("/current_models"))
    }
    assert {*NASTY, STORED} <= names


def test_missing_record_is_an_error_of_one_line(pages: Pages) -> None:
    found = pages.response("/models/no-such-id")
    assert found.status_code == 404
    assert "Record not found" in found.text


def test_questions_use_their_parameters(pages: Pages) -> None:
    assert pages.rows("/stale_for_days", days="0") != []
    assert pages.rows("/stale_for_days", days="36500") == []
    assert [row["new_value"] for row in pages.rows("/what_changed") if row["kind"] == "tag_added"] != []
    assert pages.rows("/what_changed", days="7d") == pages.rows("/what_changed", days="7") != []
    assert pages.rows("/in_production", ml_repo="risk") == pages.rows("/in_production", ml_repo="Risk") != []
    assert {row["change"] for row in pages.rows("/production_moves")} == {"first"}
    (value,) = {row["value"] for row in pages.rows("/best_versions", metric=MARKUP)}
    assert value == 0.5
    assert [(row["value"], row["better"]) for row in pages.rows("/best_of_each_model", metric=MARKUP)] == [
        (0.5, "unknown")
    ]
    total, *of_models = pages.rows("/cleanup_by_model")
    assert (total["model_name"], total["versions"]) == ("all models", sum(row["versions"] for row in of_models))
    (storage,) = pages.rows("/storage_by_ml_repo", ml_repo_name="risk")
    newest, *_ = pages.rows("/storage_of_each_month", ml_repo="risk")
    assert {name: newest[name] for name in ("versions", "artifact_size_bytes")}.items() <= storage.items()
    found = pages.rows("/versions_with_metadata", key="team", value="DISPLAY: None")
    assert {row["value"] for row in found} == {NASTY[1]}
    assert pages.rows("/versions_with_metadata", key="team", value="pixel.png") == []  # not of a latest version


def test_creator_of_versions_in_production_links_to_them(pages: Pages) -> None:
    (row, *_) = [row for row in pages.rows("/production_by_creator") if row["production_creator_id"]]
    (path, *_) = [
        html.unescape(each)
        for each in re.findall(r'href="/registry(/production_versions[?][^"]*)"', pages.html("/production_by_creator"))
    ]
    found = pages.rows(*path.split("?")[:1], **dict(parse_qsl(path.split("?")[1])))
    assert {each["created_by_id"] for each in found} == {row["production_creator_id"]}
    assert len({each["model_version_id"] for each in found}) == row["versions"]


def test_version_page_links_to_its_fields_at_an_earlier_time(pages: Pages, version: dict[str, object]) -> None:
    (path,) = re.findall(r'href="/registry(/version_at[^"]*)"', pages.html(f"/model_versions/{version['id']}"))
    # The link has the time of the first copy, because the version was unknown a week ago.
    assert MARKUP in text(pages.html(path.replace("&amp;", "&")))
    parameters = {"model": version["model_id"], "version": 1}
    first, _second = sorted(row["started_at"] for row in pages.rows("/sync_runs"))
    now, then = (pages.rows("/version_at", **parameters, at=at) for at in ("", first))
    assert {row["model_version_id"] for row in now} == {version["id"]}
    assert {row["field"] for row in now} >= {"description", "tags"}
    assert f"{MARKUP} again" in {row["value"] for row in now} - {row["value"] for row in then}
