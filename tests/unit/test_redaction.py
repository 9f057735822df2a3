import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from etl.redaction import PASSWORD_PARAMETERS, Redactor, passwords_of, secret_pattern, secrets_of_webhook
from tests.support.patience import patience
from tests.support.spellings import SPELLINGS, repeated

TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", min_size=20, max_size=900).filter(
    lambda token: sum(map(str.isalnum, token)) >= 0.95 * len(token) and len(set(token)) >= 8
)
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=12).filter(lambda text: not text.isalpha())


@given(SECRETS, st.binary(max_size=5), st.binary(max_size=5))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_is_found_in_base64_at_any_offset(
    encode: Callable[[bytes], bytes], secret: str, before: bytes, after: bytes
) -> None:
    remaining = secret_pattern(secret).sub("", encode(before + secret.encode() + after).decode())
    # Characters at each end depend on neighbouring bytes; so do the characters of those bytes and the padding.
    assert len(remaining) <= len(encode(before)) + len(encode(after)) + 4


@given(SECRETS)
@pytest.mark.parametrize("encode", [str, quote, lambda text: quote(text, safe=""), quote_plus, html.escape, json.dumps])
def test_a_secret_is_found_in_the_encodings_of_urls_html_and_json(encode: Callable[[str], str], secret: str) -> None:
    assert secret_pattern(secret).sub("***", f"<{encode(secret)}>").strip('<>"') == "***"


def test_a_secret_is_found_within_words_and_in_any_case() -> None:
    assert secret_pattern("s3cret").sub("*", "xS3CRETx s3crets3cret") == "x*x **"


def test_a_common_word_is_found_as_a_whole_word_only() -> None:
    assert secret_pattern("postgres").sub("*", "PostgreSQL, postgres://postgres:postgres@h") == "PostgreSQL, *://*:*@h"


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_text_without_secrets_does_not_match(secrets: tuple[str, ...]) -> None:
    assert secret_pattern(*secrets).search("any text") is None


def test_a_secret_that_cannot_be_encoded_is_found_as_it_is() -> None:
    assert secret_pattern("s3cret\udcff").sub("*", "<s3cret\udcff>") == "<*>"


def test_a_password_is_found_in_every_part_of_a_url() -> None:
    assert passwords_of("postgresql://user:s3cret@host/db") == ["s3cret"]
    assert passwords_of("postgresql://host/db?user=u&password=s3cret") == ["s3cret"]
    assert passwords_of("postgresql://u:a@host/db?password=b&sslpassword=c&password=d") == ["a", "b", "c", "d"]
    assert passwords_of("sqlite:///file.db") == []
    assert passwords_of("nonsense") == []


def test_a_password_is_found_in_an_invalid_url() -> None:
    assert passwords_of("postgresql://user:s3cret@host:port/db") == ["s3cret"]


NAMES = st.sampled_from([*PASSWORD_PARAMETERS, "Password", "user", "pass word"]) | st.text(max_size=5)
VALID_URLS = st.builds(
    URL.create,
    st.sampled_from(["postgresql", "postgresql+psycopg", "sqlite"]),
    username=st.none() | st.text(max_size=5),
    password=st.none() | st.text(max_size=9),
    host=st.sampled_from([None, "host", "::1"]),
    port=st.sampled_from([None, 5432]),
    database=st.none() | st.text(max_size=5),
    query=st.dictionaries(NAMES, st.text(max_size=5) | st.lists(st.text(max_size=5), max_size=2), max_size=3),
).map(lambda url: url.render_as_string(hide_password=False))
URL_PARTS = st.sampled_from(
    ["://", "postgresql", "+", ":", "@", "/", "?", "&", "=", "[", "]", "%", "%40", "\n", "\ud83d", *PASSWORD_PARAMETERS]
)
MALFORMED_URLS = st.lists(URL_PARTS | st.text(max_size=2), max_size=20).map("".join)


@given(VALID_URLS | MALFORMED_URLS)
def test_passwords_are_the_same_as_those_of_sqlalchemy(url: str) -> None:
    found = passwords_of(url)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return
    named = [each for name in PASSWORD_PARAMETERS for each in parsed.normalized_query.get(name, ())]
    assert sorted(found) == sorted(filter(None, [parsed.password, *named]))


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
def test_the_user_and_path_of_a_webhook_url_are_secrets(url: str | None, secrets: list[str]) -> None:
    assert secrets_of_webhook(url) == secrets


@given(
    TOKENS, st.sampled_from(["", "you sent ", "<p>", "x", "Authorization: Bearer "]), st.sampled_from(["", ".", " end"])
)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_token_is_found_in_every_spelling_that_decodes_to_it(
    spelling: str, token: str, before: str, after: str
) -> None:
    encoded = SPELLINGS[spelling](token)
    assert repeated(encoded, Redactor(token=token)(f"{before}{encoded}{after}")) == []


REDACT = Redactor("p4ssword", token="eyJhbGciOi.eyJzdWIiOi.c2lnbmF0-_dXJl")


@given(st.text(max_size=200))
def test_text_without_the_token_is_not_changed(text: str) -> None:
    assert REDACT(text) == text


@pytest.mark.parametrize("token", ["short-1", "a-b-c", "", None])
def test_a_short_token_is_found_in_its_usual_encodings_only(token: str | None) -> None:
    redact = Redactor(token=token)
    text = "s h o r t - 1, and a, b or c"
    assert redact(text) == text
    assert redact(f"<{token}>") == ("<***>" if token else f"<{token}>")


def test_a_password_is_found_in_its_usual_encodings_only() -> None:
    redact = Redactor("tfy-etl-postgresql", token="t0ken-of-a-control-plane")
    assert redact("tfy-etl: PostgreSQL failed") == "tfy-etl: PostgreSQL failed"
    assert redact("password tfy-etl-postgresql is wrong") == "password *** is wrong"


def test_a_long_text_is_redacted_in_linear_time() -> None:
    redact, began = Redactor(token="t0ken-of-a-control-plane" * 30), time.monotonic()
    for text in ("<" * 10**6, "%25" * 300_000, "&#38;" * 200_000, "\\" * 10**6, "t0ken-of-a" * 10**5):
        assert redact(text) == text
    assert time.monotonic() - began < patience()
