"""The memory of an answer's JSON is estimated before it is parsed, and limited."""

import gzip
import json
import time
import tracemalloc
from typing import Any

import msgspec
import pytest

from etl.source.exceptions import MalformedResponse, TooLarge
from etl.source.responses import Response, parse_envelope
from etl.source.size_limits import MAX_RECORDS, SINGLE_RECORD_LIMIT, memory_of, page_limit
from etl.source.throttle import Throttle
from etl.source.transport import Transport
from tests.support.patience import patience
from tests.unit.source.conftest import Serve
from tests.unit.source.planes import TOKEN, responding, settings

SECRET = "tok-123"
COUNT = 20_000
ITEMS: dict[str, bytes] = {
    "empty objects": b"{}",
    "objects of one field": b'{"a":0}',
    "objects in objects": b'{"a":{"a":0}}',
    "objects of five fields": b'{"a":0,"b":1,"c":2,"d":3,"e":4}',
    "empty lists": b"[]",
    "lists in lists": b"[[[[]]]]",
    "lists of numbers": b"[1,2,3]",
    "short texts": b'"ab"',
    "texts of wide letters": '"\u5b57"'.encode(),
    "long texts": b'"' + b"x" * 200 + b'"',
    "numbers": b"300",
    "fractions": b"1e9",
    "cached numbers": b"0",
    "nothing": b"null",
    "metrics": b'{"key":"accuracy","value":0.9234,"timestamp":1714557600000,"step":5000}',
}


@pytest.mark.parametrize("items", ITEMS)
def test_memory_is_not_underestimated(items: str) -> None:
    body = b'{"data":[' + b",".join([ITEMS[items]] * COUNT) + b"]}"
    tracemalloc.start()
    parsed = msgspec.json.decode(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(parsed["data"]) == COUNT
    assert peak <= memory_of(body)


def test_pages_of_all_workers_fit_into_the_same_memory() -> None:
    assert [page_limit(workers).memory * max(workers, 4) for workers in (1, 4, 8, 64)] == [128 * 2**20] * 4


def fetch_body(serve: Serve, body: bytes, *params: tuple[str, str]) -> bytes | bytearray:
    packed = gzip.compress(body, 1)
    opened = Transport(settings(host=serve(responding(packed, Content_Encoding="gzip"))), TOKEN, Throttle(1))
    try:
        return opened.get("/models", params).body
    finally:
        opened.close()


@pytest.mark.parametrize("unit", [b"{},", b"[", b"[],", b'{"a":0},', b'"ab",'])
def test_body_of_too_many_values_is_too_large(unit: bytes, serve: Serve) -> None:
    with pytest.raises(TooLarge, match="or too many values: shorten this one record"):
        fetch_body(serve, unit * (20 * 2**20 // len(unit)))


def test_record_that_fills_a_page_alone_may_be_larger_than_a_page(serve: Serve) -> None:
    body = b"[]," * 400_000
    assert page_limit(4).memory < memory_of(body) < SINGLE_RECORD_LIMIT.memory

    assert fetch_body(serve, body, ("limit", "1")) == fetch_body(serve, body) == body
    with pytest.raises(TooLarge):
        fetch_body(serve, body, ("limit", "2"))


def test_answer_of_too_many_records_is_too_large() -> None:
    def parsed(count: int) -> list[Any]:
        body = json.dumps({"data": [1] * count}).encode()
        records: list[Any] = parse_envelope(_answer(body), list, SECRET)["data"]
        return records

    assert len(parsed(MAX_RECORDS)) == MAX_RECORDS
    with pytest.raises(TooLarge, match=f"more than {MAX_RECORDS} records"):
        parsed(MAX_RECORDS + 1)


def test_body_of_brackets_alone_is_refused_quickly() -> None:
    began = time.process_time()
    with pytest.raises(MalformedResponse):
        parse_envelope(_answer(b"[" * 10_000_000), list, SECRET)

    assert time.process_time() - began < patience(2)


def _answer(body: bytes) -> Response:
    return Response("/models", 200, {}, body)
