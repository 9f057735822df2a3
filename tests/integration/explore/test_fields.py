"""Values that the fields of a question accept, and the message if a value is unknown."""

import html
import re

import pytest

from tests.integration.explore.conftest import Pages, assert_harmless, text
from tests.support.marked_up_registry import MARKUP, NASTY, STORED


def test_names_are_found_in_any_letter_case_and_with_their_ml_repo(pages: Pages) -> None:
    (model, *_) = [row for row in pages.rows("/current_models") if row["name"] not in {*NASTY, STORED}]
    name, repo = str(model["name"]), str(model["ml_repo_name"])
    for question in ("production_at", "tags_at", "registry_at", "models_at", "what_changed", "production_moves"):
        found = pages.rows(f"/{question}", model=f"{repo}/{name}".upper())
        assert found == [row for row in pages.rows(f"/{question}") if row["model_id"] == model["id"]]
    assert pages.rows("/version_at", model=f"{repo}/{name}", version="v1") != []


@pytest.mark.parametrize(
    ("path", "parameters", "answer"),
    [
        ("/what_changed", {"days": "x"}, "days: 'x' is not a number of days. Write 7 or 7d."),
        ("/cleanup_by_model", {"days": "-1"}, "days: '-1' is not a number of days. Write 7 or 7d."),
        ("/what_changed", {"model": "no such"}, "No model is called 'no such'."),
        ("/in_production", {"ml_repo": MARKUP}, f"No ML repo is called {MARKUP!r}."),
        ("/version_at", {"model": "fraud-scorer", "version": "latest"}, "is not a version number. Write 3 or v3."),
        ("/best_versions", {"metric": "no such"}, "No metric is called 'no such'."),
        ("/best_versions", {"metric": MARKUP, "better": "more"}, "'more' is not a direction. Write higher or lower."),
        ("/versions_with_package", {"package": "no such"}, "No package is called 'no such'."),
    ],
)
def test_field_that_cannot_be_read_is_an_error_of_one_line(
    pages: Pages, path: str, parameters: dict[str, str], answer: str
) -> None:
    found = pages.response(path, **parameters)
    assert found.status_code == 400
    assert answer in html.unescape(found.text)
    assert "No rows." not in found.text
    assert_harmless(found.text, path)


@pytest.mark.parametrize(
    ("path", "parameters", "answer"),
    [
        ("/version_at", {}, "Choose a model."),
        ("/best_of_each_model", {}, "Choose a metric."),
        ("/package_in_production", {"range": "<2"}, "Choose a package."),
        ("/models_at", {"at": "2020-01-01"}, "Nothing is known of that time."),
        ("/tags_at", {"at": "9999d"}, "Nothing is known of that time."),
        ("/tags_at", {"tag": "no such"}, "No rows."),
    ],
)
def test_page_without_rows_says_why(pages: Pages, path: str, parameters: dict[str, str], answer: str) -> None:
    (shown,) = re.findall(r'<p class="zero-results">.*?</p>', pages.html(path, **parameters), re.DOTALL)
    assert answer in text(shown)
    assert (answer == "No rows.") == ("No rows." in shown)


def test_package_question_takes_a_range_of_versions(pages: Pages) -> None:
    usage = [row for row in pages.rows("/package_usage", _size="max") if row["pinned_version"] and row["name"]]
    in_production = {row["model_version_id"] for row in pages.rows("/in_production")}
    (used, *_) = [row for row in usage if row["model_version_id"] in in_production]
    name, version = f" {used['name'].upper()} ", used["pinned_version"]
    for wanted, is_found in (("", True), (f"=={version}", True), (f">{version}", False), (f"<={version},>=0", True)):
        found = [row["model_version_id"] for row in pages.rows("/package_in_production", package=name, range=wanted)]
        assert (used["model_version_id"] in found) is is_found
    wrong = pages.response("/package_in_production", package=name, range="newer than 2")
    assert wrong.status_code == 400
    assert "is not a range of versions. Write &lt;2.6" in wrong.text


@pytest.mark.parametrize("question", ["tags_at", "registry_at", "models_at", "production_at"])
def test_time_is_accepted_in_any_spelling(question: str, pages: Pages) -> None:
    """The tag `prod` was set on the newest version by the second run, and `given-lately` with it."""
    first, second = sorted(row["started_at"] for row in pages.rows("/sync_runs"))
    now, before = pages.rows(f"/{question}"), pages.rows(f"/{question}", at=first)
    assert (len(now) > len(before)) == (question != "models_at")
    assert before != []
    for at, expected in (
        (f"{second[:10]}T{second[11:]}Z", now),
        (f"{second}+00:00", now),
        ("2099-01-01", now),
        (f"{first[:10]}T{first[11:]}Z", before),
        ("2020-01-01", []),
        ("9999d", []),
    ):
        assert pages.rows(f"/{question}", at=at) == expected, at
    wrong = pages.response(f"/{question}", at="no time")
    assert wrong.status_code == 400
    assert "at: &#39;no time&#39; is not a time. Write 2026-05-01" in wrong.text
    assert 'value="no time"' in wrong.text
