import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.source import spelled

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=12).filter(lambda text: not text.isalpha())


@given(SECRETS, st.binary(max_size=5), st.binary(max_size=5))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_is_found_in_base64_wherever_it_stands_there(
    encode: Callable[[bytes], bytes], secret: str, before: bytes, after: bytes
) -> None:
    left = spelled(secret).sub("", encode(before + secret.encode() + after).decode())
    # What its neighbours have a part in: a character at each end, their own, and the padding.
    assert len(left) <= len(encode(before)) + len(encode(after)) + 4


@given(SECRETS)
@pytest.mark.parametrize("spell", [str, quote, lambda text: quote(text, safe=""), quote_plus, html.escape, json.dumps])
def test_a_secret_is_found_as_urls_pages_and_json_spell_it(spell: Callable[[str], str], secret: str) -> None:
    assert spelled(secret).sub("***", f"<{spell(secret)}>").strip('<>"') == "***"


def test_a_secret_is_found_within_words_and_in_any_case() -> None:
    assert spelled("s3cret").sub("*", "xS3CRETx s3crets3cret") == "x*x **"


def test_a_word_of_everyday_is_found_where_it_stands_alone() -> None:
    assert spelled("postgres").sub("*", "PostgreSQL, postgres://postgres:postgres@h") == "PostgreSQL, *://*:*@h"


@pytest.mark.parametrize("secrets", [(), ("",)])
def test_where_there_is_no_secret_nothing_is_found(secrets: tuple[str, ...]) -> None:
    assert spelled(*secrets).search("any text") is None


def test_a_secret_that_no_encoding_takes_is_found_as_it_is() -> None:
    assert spelled("s3cret\udcff").sub("*", "<s3cret\udcff>") == "<*>"
