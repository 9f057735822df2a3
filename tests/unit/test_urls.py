import pytest

from etl.errors import ConfigError
from etl.urls import checked_model_url, checked_url


@pytest.mark.parametrize("url", ["https://plane.example/{ml_repo_id}/{model}#top", "http://10.0.0.1/{model_id}?a=%20"])
def test_a_valid_model_url_template_is_unchanged(url: str) -> None:
    assert checked_model_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)//{model}", "data:text/html,{model}", "//plane.example/{model}", "{model}", "",
        "two words/{model}",
        "https://{model}.example/", "https://me:hush@plane.example/{model}", "https://plane.example/", "https://p.example/{x}",
        "https://p.example/{model.name}", "https://p.example/{model!r}", "https://p.example/{model:9}", "https://p.example/{",
        "https://p.example/{}",
    ],
)  # fmt: skip
def test_a_template_of_another_scheme_or_with_other_fields_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^--model-url ") as error:
        checked_model_url(url)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("HTTPS://Corp.Example:443/Tfy/", "https://corp.example/Tfy"),
        ("corp.example:8443", "https://corp.example:8443"),
        ("https://[2001:DB8::443]:443", "https://[2001:db8::443]"),
        ("http://LocalHost:80", "http://localhost"),
    ],
)
def test_equivalent_hosts_are_normalized_to_one_url(host: str, expected: str) -> None:
    assert checked_url(host, allow_insecure_http=False) == expected
