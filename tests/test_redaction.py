import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from etl.redaction import PASSWORD_PARAMETERS, passwords_of, secret_pattern, secrets_of_webhook

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=12).filter(lambda text: not text.isalpha())


@given(SECRETS, st.binary(max_size=5), st.binary(max_size=5))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_is_found_in_base64_wherever_it_stands_there(
    encode: Callable[[bytes], bytes], secret: str, before: bytes, after: bytes
) -> None:
    left = secret_pattern(secret).sub("", encode(before + secret.encode() + after).decode())
    # What its neighbours have a part in: a character at each end, their own, and the padding.
    assert len(left) <= len(encode(before)) + len(encode(after)) + 4


@given(SECRETS)
@pytest.mark.parametrize("spell", [str, quote, lambda text: quote(text, safe=""), quote_plus, html.escape, json.dumps])
def test_a_secret_is_found_as_urls_pages_and_json_spell_it(spell: Callable[[str], str], secret: str) -> None:
    assert secret_pattern(secret).sub("***", f"<{spell(secret)}>").strip('<>"') == "***"


def test_a_secret_is_found_within_words_and_in_any_case() -> None:
    assert secret_pattern("s3cret").sub("*", "xS3CRETx s3crets3cret") == "x*x **"


def test_a_word_of_everyday_is_found_where_it_stands_alone() -> None:
    assert secret_pattern("postgres").sub("*", "PostgreSQL, postgres://postgres:postgres@h") == "PostgreSQL, *://*:*@h"


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_where_there_is_no_secret_nothing_is_found(secrets: tuple[str, ...]) -> None:
    assert secret_pattern(*secrets).search("any text") is None


def test_a_secret_that_no_encoding_takes_is_found_as_it_is() -> None:
    assert secret_pattern("s3cret\udcff").sub("*", "<s3cret\udcff>") == "<*>"


def test_a_password_is_found_wherever_a_url_may_hold_it() -> None:
    assert passwords_of("postgresql://user:s3cret@host/db") == ["s3cret"]
    assert passwords_of("postgresql://host/db?user=u&password=s3cret") == ["s3cret"]
    assert passwords_of("postgresql://u:a@host/db?password=b&sslpassword=c&password=d") == ["a", "b", "c", "d"]
    assert passwords_of("sqlite:///file.db") == []
    assert passwords_of("nonsense") == []


def test_a_password_is_found_even_if_the_url_is_of_no_use_otherwise() -> None:
    assert passwords_of("postgresql://user:s3cret@host:port/db") == ["s3cret"]


NAMES = st.sampled_from([*PASSWORD_PARAMETERS, "Password", "user", "pass word"]) | st.text(max_size=5)
WHOLE_URLS = st.builds(
    URL.create,
    st.sampled_from(["postgresql", "postgresql+psycopg", "sqlite"]),
    username=st.none() | st.text(max_size=5),
    password=st.none() | st.text(max_size=9),
    host=st.sampled_from([None, "host", "::1"]),
    port=st.sampled_from([None, 5432]),
    database=st.none() | st.text(max_size=5),
    query=st.dictionaries(NAMES, st.text(max_size=5) | st.lists(st.text(max_size=5), max_size=2), max_size=3),
).map(lambda url: url.render_as_string(hide_password=False))
PIECES = st.sampled_from(
    ["://", "postgresql", "+", ":", "@", "/", "?", "&", "=", "[", "]", "%", "%40", "\n", "\ud83d", *PASSWORD_PARAMETERS]
)
TORN_URLS = st.lists(PIECES | st.text(max_size=2), max_size=20).map("".join)


@given(WHOLE_URLS | TORN_URLS)
def test_what_sqlalchemy_takes_for_a_password_is_one(url: str) -> None:
    found = passwords_of(url)
    try:
        read = make_url(url)
    except (ArgumentError, ValueError):
        return
    named = [each for name in PASSWORD_PARAMETERS for each in read.normalized_query.get(name, ())]
    assert sorted(found) == sorted(filter(None, [read.password, *named]))


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://chat.example/hooks/T0/B0/k3y", ["hooks/T0/B0/k3y"]),
        ("https://chat.example:8443/x?token=abc%2Fdef", ["x?token=abc/def"]),
        ("https://user:p%40ssword@chat.example/hook", ["user:p@ssword"]),
        ("https://chat.example/hook", []),
        ("https://chat.example", []),
        ("no address", []),
        ("", []),
        (None, []),
    ],
)
def test_what_lets_anybody_post_to_an_address_is_a_secret(url: str | None, secrets: list[str]) -> None:
    assert secrets_of_webhook(url) == secrets
