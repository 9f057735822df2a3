import base64
import hashlib
import re
from datetime import timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.report.data import CHANGES, METRIC_ROWS, METRIC_VERSIONS, MODELS, PRODUCTION, REPOS, Series
from etl.report.page import page
from etl.store.queries.report import TopRows
from tests.unit.report.builders import NAME, a_mix, a_run, report_data
from tests.unit.report.test_formatting import Looked

DAY = timedelta(days=1)
TRICKS = {
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
def made(text: str = NAME) -> str:
    return page(
        report_data(text, runs=[a_run(status="failed", complete=False, error=text, host=text)]), max_age=DAY, redact=str
    )


def outline(html: str) -> list[object]:
    """Return all elements with attributes, without those of code points and of truncation."""
    return [
        (tag, attributes)
        for tag, attributes in Looked(html).tags
        if (tag, attributes) not in {("i", ()), ("span", (("class", "quiet"),))}
    ]


@pytest.mark.parametrize("text", TRICKS.values(), ids=TRICKS)
def test_no_trick_in_the_registry_changes_the_page(text: str) -> None:
    assert outline(made(text)) == outline(made())


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=200))
def test_no_text_at_all_changes_the_page(text: str) -> None:
    assert outline(made(text)) == outline(made())


@pytest.mark.parametrize("trick", ["a formula", "a template", "markup"])
def test_page_shows_hostile_text_unchanged(trick: str) -> None:
    assert Looked(made(TRICKS[trick])).text.count(TRICKS[trick]) > 10


def test_as_long_lists_of_as_costly_texts_as_there_can_be_stay_below_five_megabytes() -> None:
    costly = "\u202e'" * 1000
    usual = report_data(costly)
    full = {
        "newest_changes": CHANGES, "ml_repos": REPOS, "production": PRODUCTION, "stale": MODELS, "undocumented": MODELS,
    }  # fmt: skip
    lists: dict[str, Any] = {name: TopRows(getattr(usual, name).rows * most, 10**6) for name, most in full.items()}
    lists |= {name: [a_mix(costly)] * 1000 for name in ("frameworks", "base_models", "packages")}
    points = [(version, version / 7) for version in range(METRIC_VERSIONS)]
    lists["metrics"] = [Series("m-1", costly, points)] * METRIC_ROWS
    html = page(report_data(costly, **lists), max_age=DAY, redact=str)
    assert html.count("<tr>") > sum(full.values())
    assert len(html.encode()) < 5_000_000


def test_every_text_of_the_registry_is_isolated() -> None:
    html = made("registry-text")
    assert html.count("<bdi>registry-text</bdi>") == html.count("registry-text") > 20


def test_page_redacts_secrets() -> None:
    secret = report_data("user:s3cret@host", runs=[a_run(error="s3cret")])
    assert "s3cret" not in page(secret, max_age=DAY, redact=lambda text: text.replace("s3cret", "***"))


def test_the_policy_lets_in_the_page_s_own_style_and_script_alone() -> None:
    html = made()
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    attributes = dict(
        next(each for tag, each in Looked(html).tags if ("http-equiv", "Content-Security-Policy") in each)
    )
    policy = dict(each.split(" ", 1) for each in str(attributes["content"]).split("; "))
    for kind, text in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy.pop(kind) == f"'sha256-{digest}'"
    assert policy == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "img-src": "data:"}


def test_nothing_on_the_page_points_outside_it() -> None:
    addresses = [
        value
        for _tag, attributes in Looked(made()).tags
        for name, value in attributes
        if name in {"href", "src", "srcset", "action", "data", "xlink:href", "poster"}
    ]
    assert addresses
    assert all(str(address).startswith("#") or address == "data:," for address in addresses)


def test_headings_go_down_one_step_at_a_time_from_a_single_first() -> None:
    levels = [int(tag[1]) for tag, _attributes in Looked(made()).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_every_heading_of_it_a_scope() -> None:
    tags = Looked(made()).tags
    assert sum(tag == "table" for tag, _ in tags) == sum(tag == "caption" for tag, _ in tags) > 10
    assert all(any(name == "scope" for name, _ in attributes) for tag, attributes in tags if tag == "th")


def test_ids_are_used_once_and_every_link_has_its_target() -> None:
    attributes = [each for _tag, attributes in Looked(made()).tags for each in attributes]
    ids = [value for name, value in attributes if name == "id"]
    links = {str(value).removeprefix("#") for name, value in attributes if name == "href"} - {"data:,"}
    assert len(ids) == len(set(ids))
    assert links <= set(ids)


def test_a_list_that_is_cut_says_how_many_more_there_are_and_where() -> None:
    stale = report_data().stale
    text = Looked(page(report_data(stale=TopRows(stale.rows, 8000)), max_age=DAY, redact=str)).text
    assert "These are 1 of 8,000 stale models; the view stale_models has them all." in text
    assert "stale_models" not in Looked(page(report_data(), max_age=DAY, redact=str)).text


def test_page_of_an_empty_registry_says_so() -> None:
    none = TopRows([], 0)
    counts = {"models": 0, "model_versions": 0, "ml_repos": 0, "bytes": None, "without_size": None}
    empty = report_data(
        growth=[], frameworks=[], base_models=[], pythons=[], packages=[], ml_repos=none, production=none, metrics=[],
        stale=none, undocumented=none, newest_changes=none, counts=report_data().counts | counts,
    )  # fmt: skip
    text = Looked(page(empty, max_age=DAY, redact=str)).text
    assert "Nothing: no model is stale" in text
    assert "No model has a date yet." in text
    assert "No version carries a tag or alias that means production" in text


def test_warnings_come_first_on_the_page() -> None:
    text = Looked(made("Because.")).text
    assert text.index("Read with care") < text.rindex("At a glance")
    assert "Its error: Because." in text
    assert "Read with care" not in Looked(page(report_data(), max_age=DAY, redact=str)).text
