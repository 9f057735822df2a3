"""The right answer, damaged or delayed: late, cut, endless, badly compressed, too large or too deeply nested."""

import gzip
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat

from etl.simulator.faults.schedule import Fault, always, transformed
from etl.simulator.http_types import Response

_MIB = 2**20
_BLANKS = b" " * _MIB
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_ENDLESS = {
    "status": (b"HTTP/1.1 200 ", b"x"),
    "header": (_OK + b"X-Slow: ", b"x"),
    "interim": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "chunk": (_CHUNKED + b"1;", b"x"),
    "trailer": (_CHUNKED + b"0\r\nX-Slow: ", b"x"),
}
"""Parts of HTTP that may come for ever: the bytes before, and those to repeat."""


def reset() -> Fault:
    """Reset the connection before the first byte."""
    return always(Response(reset=True))


def reset_inside() -> Fault:
    """Reset the connection in the middle of the body."""
    return transformed(lambda answer: replace(answer, sent=len(answer.body) // 2, reset=True))


def slow(seconds: str = "1") -> Fault:
    """Delay the right answer."""
    delay = float(seconds)
    return transformed(lambda answer: replace(answer, delay=delay))


def stall() -> Fault:
    """Send half of the body, and then nothing until the client disconnects."""
    return transformed(lambda answer: replace(answer, sent=len(answer.body) // 2, stall=True))


def drip(seconds: str = "0.1") -> Fault:
    """Send the right answer byte by byte, with a pause after each."""
    pause = float(seconds)
    return transformed(lambda answer: replace(answer, sent=0, stream=_drops(answer.body, pause)))


def _drops(body: bytes, pause: float) -> Iterator[bytes]:
    for place in range(len(body)):
        yield body[place : place + 1]
        time.sleep(pause)


def endless(part: str = "status") -> Fault:
    """Send one part of HTTP without end, slowly: status, header, interim (answers of 1xx), chunk or trailer."""
    start, more = _ENDLESS[part]
    return Fault(lambda _, __: Response(raw=_slowly(start, more)))


def _slowly(start: bytes, more: bytes) -> Iterator[bytes]:
    yield start
    while True:
        time.sleep(0.02)
        yield more


def truncated_body() -> Fault:
    """Close the connection in the middle of the body, although Content-Length is the whole."""
    return transformed(lambda answer: replace(answer, sent=len(answer.body) // 2))


def bad_json() -> Fault:
    """Send half of the JSON, with a correct Content-Length."""
    return transformed(lambda answer: replace(answer, body=answer.body[: len(answer.body) // 2]))


def wrong_type(content_type: str = "text/html") -> Fault:
    """Send the right answer with another content type than JSON."""
    return transformed(lambda answer: replace(answer, content_type=content_type))


def broken_gzip() -> Fault:
    """Send a gzip body that is corrupt from its middle on."""

    def transform(answer: Response) -> Response:
        packed = gzip.compress(answer.body)
        half = len(packed) // 2
        return _packed(answer, packed[:half] + bytes(len(packed) - half))

    return transformed(transform)


def gzip_bomb(mebibytes: str = "1024") -> Fault:
    """Send a gzip body that decompresses to a thousand times its size; its end is missing."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    # After a full flush the same input gives the same output, so that compressing two blocks is enough.
    first, again = (packer.compress(_BLANKS) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    bomb = first + again * (int(mebibytes) - 1)
    return transformed(lambda answer: _packed(answer, bomb))


def _packed(answer: Response, body: bytes) -> Response:
    return replace(answer, body=body, headers=(*answer.headers, ("Content-Encoding", "gzip")))


def huge_body(mebibytes: str = "1024") -> Fault:
    """Send a body of this many MiB, generated while it is sent."""
    count = int(mebibytes)
    length = ("Content-Length", str(count * _MIB))
    return transformed(
        lambda answer: Response(headers=(*answer.headers, length), sent=0, stream=repeat(_BLANKS, count))
    )


def deep_record(levels: str = "10000") -> Fault:
    """Add a value with this many levels to the first record of each page."""
    first = b'"data":[{"deep":%b,' % _nested(int(levels))
    return transformed(lambda answer: replace(answer, body=answer.body.replace(b'"data":[{', first, 1)))


def deep_body(levels: str = "10000") -> Fault:
    """Send JSON of this many nested lists."""
    return always(Response(body=_nested(int(levels))))


def _nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels
