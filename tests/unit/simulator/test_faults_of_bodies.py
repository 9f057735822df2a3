import gzip
import http.client
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from etl.simulator import Registry, Simulator, fault
from tests.support.patience import patience
from tests.unit.simulator.fault_helpers import GOOD, answers_of


@contextmanager
def requested_with(spec: str) -> Iterator[tuple[Simulator, http.client.HTTPResponse]]:
    """A simulator with this fault, and its response to one request, with the body unread."""
    with Simulator(Registry.generate(models=3, versions=1), faults=[fault(spec)]) as simulator:
        connection = http.client.HTTPConnection(simulator.host, simulator.port, timeout=patience())
        connection.request("GET", "/api/ml/v1/models", headers={"Authorization": f"Bearer {simulator.token}"})
        yield simulator, connection.getresponse()
        connection.close()


def length(answer: http.client.HTTPResponse) -> int:
    return int(answer.headers["Content-Length"])


def test_a_truncated_body_has_its_full_length_announced_and_half_of_it_sent() -> None:
    (answer,) = answers_of("truncated_body")

    assert answer.body == GOOD.body
    assert answer.sent == len(GOOD.body) // 2


def test_some_faults_change_only_the_transfer_of_an_answer() -> None:
    (late,), (cut,), (other,) = answers_of("slow:2.5"), answers_of("reset"), answers_of("wrong_type:text/plain")

    assert (late.body, late.delay) == (GOOD.body, 2.5)
    assert cut.reset
    assert (other.body, other.content_type) == (GOOD.body, "text/plain")


def test_bad_json_cannot_be_parsed() -> None:
    (answer,) = answers_of("bad_json")

    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


def test_broken_gzip_decompresses_up_to_its_middle() -> None:
    (answer,) = answers_of("broken_gzip")

    assert answer.headers == (("Content-Encoding", "gzip"),)
    assert gzip.compress(GOOD.body).startswith(answer.body[: len(answer.body) // 2])
    with pytest.raises((OSError, EOFError, zlib.error)):
        gzip.decompress(answer.body)


def test_gzip_bomb_decompresses_to_a_thousand_times_its_size() -> None:
    (answer,) = answers_of("gzip_bomb:8")
    unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(answer.body)

    assert unpacked == b" " * 8 * 2**20
    assert len(answer.body) * 900 < len(unpacked)


def test_a_record_or_a_whole_body_can_nest_too_deep_to_be_read() -> None:
    (record,), (body,), (shallow,) = answers_of("deep_record"), answers_of("deep_body"), answers_of("deep_record:2")

    assert json.loads(shallow.body)["data"] == [{"deep": [[]], "id": "a"}]
    assert len(record.body) == len(GOOD.body) + len('"deep":,') + 20_000
    assert body.body == b"[" * 10_000 + b"]" * 10_000


def test_a_reset_inside_the_body_happens_after_the_head() -> None:
    with requested_with("reset_inside") as (_, answer):
        assert answer.status == 200
        with pytest.raises(ConnectionResetError):
            answer.read()


def test_huge_body_is_generated_while_it_is_sent() -> None:
    with requested_with("huge_body:3") as (_, answer):
        assert length(answer) == len(answer.read()) == 3 * 2**20
    with requested_with("huge_body:1000000") as (_, answer):  # a terabyte
        assert answer.read(1000) == b" " * 1000


@pytest.mark.parametrize("spec", ["stall", "drip:0.02"])
def test_endless_body_does_not_prevent_a_stop(spec: str) -> None:
    with requested_with(spec) as (simulator, answer):
        serving = [each for each in threading.enumerate() if "process_request_thread" in each.name]
        assert answer.read(5) == b'{"dat'
        time.sleep(0.1)
        assert serving
        assert all(each.is_alive() for each in serving)
        began = time.monotonic()
        simulator.stop()
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
        for each in serving:
            each.join(patience())
        assert time.monotonic() - began < patience()
        assert not any(each.is_alive() for each in serving)


def test_client_of_a_stalled_connection_is_served_on_another() -> None:
    with requested_with("stall,times=1") as (simulator, answer):
        assert length(answer) > 0
        connection = http.client.HTTPConnection(simulator.host, simulator.port, timeout=patience())
        connection.request("GET", "/api/ml/v1/models", headers={"Authorization": f"Bearer {simulator.token}"})
        assert len(json.loads(connection.getresponse().read())["data"]) == 3
        connection.close()


@pytest.mark.parametrize(
    ("part", "start"),
    [
        ("status", b"HTTP/1.1 200 xxx"),
        ("header", b"HTTP/1.1 200 OK\r\nX-Slow: xxx"),
        ("interim", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102"),
        ("chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;xxx"),
        ("trailer", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Slow: xxx"),
    ],
)
def test_endless_part_of_http_is_sent_until_the_client_disconnects(part: str, start: bytes) -> None:
    with Simulator(Registry(), faults=[fault(f"endless:{part}")]) as simulator:
        with socket.create_connection((simulator.host, simulator.port), timeout=patience()) as client:
            client.sendall(b"GET /api/ml/v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while len(received) < len(start):
                received += client.recv(65_536)
        serving = [each for each in threading.enumerate() if "process_request_thread" in each.name]
        for each in serving:
            each.join(patience())

    assert received.startswith(start)
    assert not any(each.is_alive() for each in serving)
