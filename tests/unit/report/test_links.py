from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.report.links import model_links
from tests.unit.report.builders import of_model

PAGE = "https://plane.example/{ml_repo_id}/{ml_repo}/{model_id}/{model}?tab=versions#top"


def link(template: str | None = PAGE, repo_id: str | None = "r-1", **row: Any) -> str | None:
    found = model_links(template, {"m-1": repo_id}, lambda text: text.replace("s3cret", "***"))
    return found(of_model() | {"ml_repo_name": "risk"} | row)


def test_link_fills_the_template() -> None:
    assert link() == "https://plane.example/r-1/risk/m-1/churn-scorer?tab=versions#top"


def test_a_value_is_encoded_and_cannot_change_the_rest_of_the_link() -> None:
    assert link(model_name="a/../b?c#d&e\"'<é {model_id}") == (
        "https://plane.example/r-1/risk/m-1/a%2F..%2Fb%3Fc%23d%26e%22%27%3C%C3%A9%20%7Bmodel_id%7D?tab=versions#top"
    )


@given(st.text(min_size=1))
def test_any_value_is_one_part_of_the_path(name: str) -> None:
    found = link("https://plane.example/{model}", model_name=name)
    assert found is None or (found.isascii() and found.count("/") == 3)


@pytest.mark.parametrize("value", [None, "", ".", "..", "has s3cret"])
def test_without_a_usable_value_there_is_no_link(value: str | None) -> None:
    assert link(model_name=value) is None
    assert link("https://plane.example/{model_id}", model_name=value) == "https://plane.example/m-1"


def test_without_a_template_or_the_id_of_the_ml_repo_there_is_no_link() -> None:
    assert link(None) is None
    assert link(repo_id=None) is None
