import base64
import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.report.data import (
    FEED,
    GAPS,
    LISTED,
    METRIC_VERSIONS,
    METRICS,
    MOVES,
    NAMES,
    PRODUCTION,
    REJECTS,
    REPOS,
    REQUIRED_PROPERTIES,
)
from etl.report.page import page
from etl.store.queries.report import TopRows
from tests.unit.report.builders import (
    NAME,
    NOW,
    a_mix,
    a_model,
    a_period,
    a_run,
    a_scope,
    a_version,
    of_model,
    production,
    quality,
    report_data,
    stale,
    undocumented,
    with_history,
    without_models,
    worse,
)
from tests.unit.report.test_formatting import Html

DAY = timedelta(days=1)
HOSTILE_TEXTS = {
    "markup": "<script>alert(1)</script><img src=x onerror=alert(2)><h1>",
    "the end of the page": "</td></table></main></body></html><!--",
    "an attribute": "\" onmouseover='alert(1)' x=`",
    "a template": "{{ 7 * 7 }}{% for x in () %}{# #}",
    "entities": "&lt;b&gt;&#60;script&#62;&amp",
    "style": "</style><style>*{display:none}</style>;}*{color:red}",
    "script": "</script><script>alert(1)//",
    "a formula": '=HYPERLINK("http://evil.example","click")+cmd|\'/c calc\'!A1',
    "an address": "javascript:alert(1) http://evil.example/pixel.png",
    "direction": "\u202e\u2066abc\u2069\u200f\u061c",
    "Hebrew and Arabic": "מודל نموذج",
    "controls": "\x00\x07\x1b[2J\r\n\t\x7f\x9b\u2028\ufeff\u200b",
    "half a pair": "\ud800",
    "piled marks": "Z" + "\u0335\u0301" * 70,
    "length": "x" * 300_000,
}


@cache
def rendered(text: str = NAME) -> str:
    runs = [a_run(status="failed", complete=False, error=text, host=text)]
    return page(with_history(text, runs=runs), max_age=DAY, redact=str)


def outline(html: str) -> list[object]:
    """Return all elements with attributes, except those for code points and truncated texts."""
    return [
        (tag, attributes)
        for tag, attributes in Html(html).tags
        if (tag, attributes) not in {("i", ()), ("span", (("class", "quiet"),))}
    ]


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_no_hostile_text_of_the_registry_changes_the_page(text: str) -> None:
    assert outline(rendered(text)) == outline(rendered())


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=200))
def test_no_text_changes_the_page(text: str) -> None:
    assert outline(rendered(text)) == outline(rendered())


@pytest.mark.parametrize("name", ["a formula", "a template", "markup"])
def test_page_shows_hostile_text_unchanged(name: str) -> None:
    assert Html(rendered(HOSTILE_TEXTS[name])).text.count(HOSTILE_TEXTS[name]) > 10


def longest_page(text: str) -> str:
    """Render the longest possible lists, with this text in every field."""
    defaults = report_data(text)
    ids = [of_model(text) | {"model_id": f"m-{index}"} for index in range(PRODUCTION)]
    problems = {"python_version": "3.8", "deployable": False}
    models = [
        a_model(a_version(2, text, **row, **problems), a_version(3, text, **problems), text=text, behind=9)
        for row in ids
    ]
    points = [(version, version / 7) for version in range(METRIC_VERSIONS)]
    makeup = replace(
        defaults.makeup,
        ml_repos=TopRows(defaults.makeup.ml_repos.rows * REPOS, 10**6),
        packages=TopRows([a_mix(text)] * NAMES, 10**6),
        specifiers=defaults.makeup.specifiers * 100,
        frameworks=[a_mix(text)] * 1000,
        base_models=[a_mix(text)] * 1000,
    )
    lacking = TopRows([undocumented(text)] * LISTED, 10**6)
    full = report_data(
        text,
        production=production(*models, periods=[a_period(2, NOW - DAY, **row) for row in ids[:MOVES]], text=text),
        activity=replace(defaults.activity, feed=defaults.activity.feed * FEED, changes=10**6),
        makeup=makeup,
        quality=quality(
            stale=TopRows([stale(text)] * LISTED, 10**6),
            lacking=dict.fromkeys(REQUIRED_PROPERTIES, lacking),
            undescribed_in_production=lacking,
            undescribed_elsewhere=lacking,
        ),
        metrics=replace(
            defaults.metrics, worse=TopRows([worse(text)] * METRICS, 10**6), values={("m-1", text): points}
        ),
        history=replace(
            defaults.history,
            rejects=TopRows(defaults.history.rejects.rows * REJECTS, 10**6),
            gaps=TopRows(defaults.history.gaps.rows * GAPS, 10**6),
        ),
    )
    return page(full, max_age=DAY, redact=str, model_url="https://plane.example/models/{model_id}")


def test_a_page_with_the_longest_lists_stays_below_a_megabyte() -> None:
    html = longest_page("fraud-scorer-of-the-risk-team")
    assert html.count("<tr>") > PRODUCTION + 9 * LISTED
    assert len(html.encode()) < 1_000_000


def test_a_page_of_the_longest_escaped_texts_stays_below_ten_megabytes() -> None:
    assert len(longest_page("\u202e'" * 1000).encode()) < 10_000_000


def test_every_text_of_the_registry_is_isolated() -> None:
    html = rendered("registry-text")
    isolated = re.findall("<bdi>([^<]*)</bdi>", html)
    assert sum(each.count("registry-text") for each in isolated) == html.count("registry-text") > 20


def test_the_first_lines_show_the_last_full_comparison_if_later_runs_were_incremental() -> None:
    began = NOW - timedelta(days=2)
    html = page(with_history(scopes=[a_scope(last_full_at=began)]), max_age=DAY, redact=str)
    assert "The last full comparison was 2 days ago. The next one finds changes" in html.partition("</header>")[0]
    assert "full comparison was" not in page(report_data(), max_age=DAY, redact=str)


def test_page_redacts_secrets() -> None:
    secret = with_history("user:s3cret@host", runs=[a_run(error="s3cret")])
    html = page(
        secret, max_age=DAY, redact=lambda text: text.replace("s3cret", "***"), model_url="https://a.example/{model}"
    )
    assert "s3cret" not in html


def test_the_content_security_policy_allows_only_the_own_style_and_script() -> None:
    html = rendered()
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    attributes = dict(next(each for tag, each in Html(html).tags if ("http-equiv", "Content-Security-Policy") in each))
    policy = dict(each.split(" ", 1) for each in str(attributes["content"]).split("; "))
    for kind, text in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy.pop(kind) == f"'sha256-{digest}'"
    assert policy == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "img-src": "data:"}


def test_the_page_has_no_external_links() -> None:
    addresses = [
        value
        for _tag, attributes in Html(rendered()).tags
        for name, value in attributes
        if name in {"href", "src", "srcset", "action", "data", "xlink:href", "poster"}
    ]
    assert addresses
    assert all(str(address).startswith("#") or address == "data:," for address in addresses)


def test_models_link_to_the_control_plane_if_a_url_template_is_set() -> None:
    html = page(report_data("a&b\"'"), max_age=DAY, redact=str, model_url="https://plane.example/{ml_repo_id}/{model}")
    links = [dict(each) for tag, each in Html(html).tags if tag == "a" and ("rel", "noreferrer") in each]
    assert {each["href"] for each in links} == {"https://plane.example/r-1/a%26b%22%27"}
    assert len(links) > 4


def test_the_page_has_one_first_heading_and_skips_no_heading_level() -> None:
    levels = [int(tag[1]) for tag, _attributes in Html(rendered()).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_every_heading_of_it_a_scope() -> None:
    tags = Html(rendered()).tags
    assert sum(tag == "table" for tag, _ in tags) == sum(tag == "caption" for tag, _ in tags) > 10
    assert all(any(name == "scope" for name, _ in attributes) for tag, attributes in tags if tag == "th")


def test_ids_are_used_once_and_every_link_has_its_target() -> None:
    attributes = [each for _tag, attributes in Html(rendered()).tags for each in attributes]
    ids = [value for name, value in attributes if name == "id"]
    links = {str(value).removeprefix("#") for name, value in attributes if name == "href"} - {"data:,"}
    assert len(ids) == len(set(ids))
    assert links <= set(ids)


def test_a_truncated_list_shows_the_number_of_omitted_rows_and_the_command_that_exports_them() -> None:
    truncated = report_data(quality=quality(stale=TopRows([stale()], 8000)))
    html = page(truncated, max_age=DAY, redact=str)
    assert 'href="#list-stale">See 1 of them' in html
    assert 'data-name="models without a new version for more than 180 days" data-left="7999"' in html
    assert (
        "7,999 more are not on this page. tfy-etl export --format csv --table model_activity DIR writes all of them: "
        "the rows where days_since_last_version is more than 180."
    ) in Html(html).text
    assert "writes all of them" not in page(report_data(), max_age=DAY, redact=str)


def test_a_truncated_distribution_names_the_command_that_exports_the_rest() -> None:
    many = [a_mix(f"3.{number}", 2) for number in range(NAMES + 3)]
    makeup = replace(report_data().makeup, frameworks=many, base_models=many[: NAMES + 1], pythons=many)
    text = Html(page(report_data(makeup=makeup), max_age=DAY, redact=str)).text
    command = "not on this page. tfy-etl export --format csv --table"
    assert f"3 more frameworks of 6 versions are {command} inventory DIR writes all of them." in text
    assert f"1 more base model of 2 versions is {command} base_model_usage DIR writes all of them." in text
    assert f"3 more Python versions are {command} python_usage DIR writes all of them." in text


def test_unused_versions_and_former_creators_are_counted_with_the_command_that_lists_them() -> None:
    cleanup = {"versions": 2, "artifact_size_bytes": 3_000_000, "versions_without_size": 1}
    unused = replace(report_data().makeup, cleanup=cleanup, former_authors=3)
    text = " ".join(Html(page(report_data(makeup=unused), max_age=DAY, redact=str)).text.split())
    assert "2 versions are neither the latest of their model nor in production: ≥ 3.0 MB." in text
    assert "--table cleanup_candidates DIR writes all of them." in text
    assert "No record names 3 creators any more. tfy-etl export --format csv --table former_authors DIR" in text
    assert "former_authors" not in page(report_data(), max_age=DAY, redact=str)


def test_severity_is_a_word_and_a_class_and_each_item_links_to_its_list() -> None:
    html = page(report_data(), max_age=DAY, redact=str)
    assert '<li class="medium"><span class="severity">Medium</span>' in html
    assert '<a href="#list-description">See it<span class="vh">: 1 model without a description, not in' in html


def test_a_copy_that_never_had_a_model_has_nothing_to_report() -> None:
    html = page(without_models(), max_age=DAY, redact=str)
    text = Html(html).text
    assert "Nothing to report yet" in text
    assert "What needs attention" not in text
    assert 'id="quality"' not in html
    assert "0 bytes" in text
    assert "Last complete run of each scope" in text


def test_a_registry_whose_models_are_all_deleted_has_nothing_to_check() -> None:
    counts = report_data().counts | {"models": 0, "model_versions": 0}
    all_deleted = report_data(
        counts=counts, production=production(), quality=quality(), metrics=without_models().metrics
    )
    text = Html(page(all_deleted, max_age=DAY, redact=str)).text
    assert "There are no models, so there is nothing to check." in text
    assert "Nothing: each model" not in text


def test_a_registry_without_findings_shows_what_was_checked() -> None:
    text = Html(page(report_data(quality=quality(), metrics=without_models().metrics), max_age=DAY, redact=str)).text
    assert "Nothing: each model has a version from the last 180 days, a description, a creator and a tag" in text


def test_a_model_has_one_row_with_its_versions_and_their_labels() -> None:
    several = a_version(3, since_is_exact=False)
    several.labels.append("champion")
    data = report_data(production=production(a_model(a_version(5), several, behind=2, latest_version=7)))
    html = page(data, max_age=DAY, redact=str)
    (row,) = re.findall(r'<tr><th scope="row">.*?</tr>', html[html.index('data-name="models in production"') :])[:1]
    assert Html(row).text.startswith("churn-scorerchurn-scorerv5 churn-scorerv3 churn-scorer champion by 2026-11-26")
    assert "2 to v7" in Html(row).text


def test_warnings_come_first_on_the_page() -> None:
    text = Html(rendered("Because.")).text
    assert text.index("Read with care") < text.rindex("At a glance")
    assert "Its error: Because." in text
    assert "Read with care" not in Html(page(report_data(), max_age=DAY, redact=str)).text


def test_export_hints_name_the_rows_that_the_figures_count() -> None:
    truncated = report_data(
        metrics=replace(report_data().metrics, worse=TopRows([worse()], 9)),
        production=production(*[a_model(a_version(python_version="3.8"))] * (PRODUCTION + 2)),
        quality=quality(undescribed_in_production=TopRows([undocumented()], 8)),
    )
    text = " ".join(Html(page(truncated, max_age=DAY, redact=str)).text.split())
    command = "tfy-etl export --format csv --table"
    assert f"8 more metrics are not on this page. {command} metric_changes DIR has every comparison." in text
    assert f"{command} production_versions DIR writes all of them, one row for each label." in text
    assert "the rows where python_version is out of support, one row for each label." in text
    assert "where has_description is false and the model is in production, see production_models." in text


def test_worse_metrics_are_those_of_the_newest_version_with_the_metric() -> None:
    defaults = report_data()
    without = page(replace(defaults, metrics=replace(defaults.metrics, worse=TopRows([], 0))), max_age=DAY, redact=str)
    assert "of the newest version of each model that has the metric." in page(defaults, max_age=DAY, redact=str)
    assert "None of 3 metrics got worse in production or in the newest version that has it." in without


@pytest.mark.parametrize(
    ("others", "missing", "sentence"),
    [
        ((), 0, "Only the latest version of each model is kept up to date. Made"),
        (
            (),
            1,
            "Only the latest version of each model is kept up to date. Up to 1 version number was never stored. Made",
        ),
        (
            ("all",),
            7,
            "In some scopes, only the latest version of each model is kept up to date. Up to 7 version numbers",
        ),
    ],
)
def test_the_first_lines_name_the_scopes_with_latest_versions_only(
    others: tuple[str, ...], missing: int, sentence: str
) -> None:
    scopes = [a_scope(coverage="latest"), *(a_scope(scope="other", coverage=each) for each in others)]
    html = page(with_history(scopes=scopes, missing_versions=missing), max_age=DAY, redact=str)
    assert sentence in " ".join(Html(html).text.split())
