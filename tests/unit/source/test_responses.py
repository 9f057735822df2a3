"""The meaning of a status and a body."""

import json
import math
import time
from typing import Any

import pytest

from etl.errors import ConfigError, RequestRefused, TokenRefused
from etl.source.exceptions import Forbidden, LimitRefused, MalformedResponse, TransientError
from etl.source.responses import LongInteger, Response, parse_envelope, redact_excerpt
from tests.support.patience import patience

SECRET = "tok-123"


def parsed(body: str | bytes, status: int = 200, **headers: str) -> dict[str, Any]:
    raw = body.encode() if isinstance(body, str) else body
    return parse_envelope(Response("/api/ml/v1/models", status, headers, raw), list, SECRET)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_outside_of_json_are_parsed(number: str) -> None:
    value = parsed(f'{{"data": [{number}]}}')["data"][0]

    assert not math.isfinite(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"\\ud800"', "\ud800"),
        ('"a\\u0000b"', "a\0b"),
        ('"a\nb\tc"', "a\nb\tc"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ('{"a": 1, "b": null}', {"a": 1, "b": None}),
    ],
)
def test_odd_values_are_parsed_exactly(text: str, value: Any) -> None:
    assert parsed(f'{{"data": [{text}]}}')["data"] == [value]


def test_integer_too_long_for_python_is_kept_as_its_digits() -> None:
    long, short = parsed(f'{{"data": [-{"1" * 5000}, 1]}}')["data"]

    assert (type(long), long, short) == (LongInteger, "-" + "1" * 5000, 1)


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "[]", "{}", '{"data": null}', '{"data": {}}', '{"data": []', "plain", b"\xff\xfe\xff",
        "[" * 100_000, "[" * 100_000 + "]" * 100_000,
    ],
)  # fmt: skip
def test_success_of_another_shape_is_transient(body: str | bytes) -> None:
    with pytest.raises(MalformedResponse, match=r"answered 200 with (unexpected JSON|text that is not JSON)"):
        parsed(body)


def test_record_nested_too_deep_keeps_its_text_and_the_other_records() -> None:
    levels = 100_000
    deep = "[" * levels + r'"]\"[", {"a": 1}' + "]" * levels
    first, second = parsed(f'{{"data": [{{"id": "a", "deep": {deep}, "b": [{{"c": "}}"}}]}}, {{"id": "d"}}]}}')["data"]
    value, seen = first.pop("deep"), 0
    while isinstance(value, list):
        (value,), seen = value, seen + 1

    assert (first, second) == ({"id": "a", "b": [{"c": "}"}]}, {"id": "d"})
    assert 200 < seen < 500
    assert value == deep[seen : len(deep) - seen]


def test_value_of_maximum_depth_can_be_serialized_deeper_in_the_stack() -> None:
    def serialize(value: Any, frames: int) -> str:
        return serialize(value, frames - 1) if frames else json.dumps(value)

    for levels in range(500, 1000, 7):
        (record,) = parsed('{"data": [' + "[" * levels + "]" * levels + "]}")["data"]
        assert serialize(record, 200)


def test_deep_unterminated_text_is_parsed_in_linear_time() -> None:
    body = "[" * 100_000 + '"' + r"\"" * 2_000_000
    began = time.monotonic()

    with pytest.raises(MalformedResponse):
        parsed(body)
    assert time.monotonic() - began < patience()


def test_endless_error_body_is_read_only_at_its_start() -> None:
    began = time.monotonic()

    with pytest.raises(TransientError, match=r"503 Service Unavailable$"):
        parsed('{"message": "' + "x" * 60_000_000 + '"}', 503)
    assert time.monotonic() - began < patience()


def test_html_page_is_named_in_the_error() -> None:
    with pytest.raises(MalformedResponse, match="with an HTML page"):
        parsed("\n<!doctype html><title>Log in</title>")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_transient_status_raises_transient_error(status: int) -> None:
    with pytest.raises(TransientError, match=str(status)) as caught:
        parsed("busy", status, **{"retry-after": "3"})
    assert caught.value.retry_after == 3


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "400 Bad Request: no such thing.*check the filters"),
        (404, "404 Not Found.*check the ids and filters"),
        (409, "409 Conflict.*check the filters"),
        (422, "422 Unprocessable.*check the filters"),
        (418, "418"),
        (499, "499"),
    ],
)
def test_final_refusal_keeps_status_and_body_and_gives_advice(status: int, message: str) -> None:
    with pytest.raises(RequestRefused, match=message) as caught:
        parsed(json.dumps({"statusCode": status, "message": "no such\nthing"}), status)
    assert (caught.value.status, caught.value.body) == (status, "no such thing")


def test_refused_token_raises_an_error_with_advice() -> None:
    with pytest.raises(TokenRefused, match=r"^The control plane refused the token \(401\): .*TFY_API_KEY"):
        parsed("<html>anything</html>", 401)


def test_forbidden_path_is_named_in_the_error() -> None:
    with pytest.raises(Forbidden, match=r"refused /api/ml/v1/models \(403 Forbidden: no; permission\).*grant it"):
        parsed('{"message": ["no", "permission"]}', 403)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://login.example/oauth?state=abc", "login.example"),
        ("/login", "another path of the same host"),
        ("https://[", "an unreadable address"),
    ],
)
def test_redirect_error_names_the_host_and_nothing_else(location: str, target: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed("", 302, location=location)

    assert f"to {target} (302)" in str(caught.value)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"detail": [{"loc": ["query", "limit"], "msg": "too much", "input": "5000", "ctx": {"le": 1000}}]}, (1000,)),
        ({"statusCode": 422, "message": "limit must not be greater than 100"}, (100,)),
        ({"statusCode": 422, "message": ["limit must not be greater than 100"], "error": "Bad Request"}, (100,)),
        ({"message": "limit too large"}, ()),
        ({"detail": "limit must lie between 1 and 250"}, (1, 250)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 422])
def test_refused_page_size_gives_the_numbers_in_the_answer(status: int, body: Any, named: tuple[int, ...]) -> None:
    with pytest.raises(LimitRefused) as caught:
        parsed(json.dumps(body), status)

    assert caught.value.named == named


def test_refused_page_size_is_recognized_in_plain_text() -> None:
    with pytest.raises(LimitRefused) as caught:
        parsed("limit: at most 50", 400)

    assert caught.value.named == (50,)


@pytest.mark.parametrize("body", ['{"message": "ml_repo_id is needed"}', '{"message": "limitless"}', "[[]]"])
def test_other_refusal_is_not_a_refused_page_size(body: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        parsed(body, 422)

    assert not isinstance(caught.value, LimitRefused)


def test_excerpt_is_short_printable_and_without_the_token() -> None:
    text = f"a\x1b[31m\r\n b\u202e Bearer other-token {SECRET}{SECRET} " + "x" * 500

    line = redact_excerpt(text, SECRET)

    assert line.startswith("a [31m b Bearer *** ****** xxx")
    assert len(line) == 200
    assert line.isprintable()


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"message": "limit too large"}, "limit too large"),
        ({"statusCode": 400, "message": ["one", "two"], "error": "Bad Request"}, "one; two"),
        ({"detail": "no such model"}, "no such model"),
        ({"detail": [{"loc": ["query", "offset"], "msg": "too small", "input": "-1"}]}, "query.offset: too small"),
        ({"message": "m" * 300}, "m" * 200),
        ({"message": {"text": "no form of the API"}, "detail": [1, None, {"msg": 2}]}, ""),
        ({"error": "of another service"}, ""),
        ("text", ""),
        (["text"], ""),
    ],
)
@pytest.mark.parametrize("status", [409, 500])
def test_only_an_error_in_a_form_of_the_api_is_shown(status: int, body: Any, shown: str) -> None:
    with pytest.raises((RequestRefused, TransientError)) as caught:
        parsed(json.dumps(body), status)

    name = {409: "409 Conflict", 500: "500 Internal Server Error"}[status]
    assert f"{name}: {shown}" in str(caught.value) if shown else f"{name}:" not in str(caught.value)
    assert getattr(caught.value, "body", shown) == shown


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 422, 429, 500])
def test_error_of_any_status_does_not_contain_the_token(status: int) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of whatever kind it is
        parsed(f"echo: Bearer {SECRET}", status, location=f"https://{SECRET}.example/")

    assert SECRET not in str(caught.value)
    assert SECRET not in getattr(caught.value, "body", "")
