"""The right answer, spoiled on its way: late, in part, packed wrongly, too large or too deep to read."""

import gzip
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat

from etl.simulator.faults.schedule import Fault, always, transformed
from etl.simulator.http_types import Answer

_MIB = 2**20
_BLANKS = b" " * _MIB


def reset() -> Fault:
    """The connection is reset before anything came."""
    return always(Answer(reset=True))


def reset_inside() -> Fault:
    """The connection is reset in the middle of the body."""
    return transformed(lambda answer: replace(answer, sent=len(answer.body) // 2, reset=True))


def slow(seconds: str = "1") -> Fault:
    """The right answer, late."""
    delay = float(seconds)
    return transformed(lambda answer: replace(answer, delay=delay))


def stall() -> Fault:
    """Half of the body, and then nothing, for as long as the client stays."""
    return transformed(lambda answer: replace(answer, sent=len(answer.body) // 2, stall=True))


def drip(seconds: str = "0.1") -> Fault:
    """The right answer byte by byte, with a pause after each."""
    pause = float(seconds)
    return transformed(lambda answer: replace(answer, sent=0, stream=_drops(answer.body, pause)))


def _drops(body: bytes, pause: float) -> Iterator[bytes]:
    for place in range(len(body)):
        yield body[place : place + 1]
        time.sleep(pause)


def truncated_body() -> Fault:
    """The connection ends in the middle of a body whose whole length was announced."""
    return transformed(lambda answer: replace(answer, sent=len(answer.body) // 2))


def bad_json() -> Fault:
    """A body of the right length that breaks off in the middle of a record."""
    return transformed(lambda answer: replace(answer, body=answer.body[: len(answer.body) // 2]))


def wrong_type(content_type: str = "text/html") -> Fault:
    """The right answer, called something else than JSON."""
    return transformed(lambda answer: replace(answer, content_type=content_type))


def broken_gzip() -> Fault:
    """A packed body that cannot be unpacked from its middle on."""

    def transform(answer: Answer) -> Answer:
        packed = gzip.compress(answer.body)
        half = len(packed) // 2
        return _packed(answer, packed[:half] + bytes(len(packed) - half))

    return transformed(transform)


def gzip_bomb(mebibytes: str = "1024") -> Fault:
    """A body a thousandth of the size that it unpacks to; its end is missing."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    # After a full flush the same input gives the same output: it is packed twice, however often it is sent.
    first, again = (packer.compress(_BLANKS) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    bomb = first + again * (int(mebibytes) - 1)
    return transformed(lambda answer: _packed(answer, bomb))


def _packed(answer: Answer, body: bytes) -> Answer:
    return replace(answer, body=body, headers=(*answer.headers, ("Content-Encoding", "gzip")))


def huge_body(mebibytes: str = "1024") -> Fault:
    """A body of so many MiB, made while it is sent."""
    count = int(mebibytes)
    length = ("Content-Length", str(count * _MIB))
    return transformed(lambda answer: Answer(headers=(*answer.headers, length), sent=0, stream=repeat(_BLANKS, count)))


def deep_record(levels: str = "10000") -> Fault:
    """The first record of each page holds a value that nests so deep."""
    first = b'"data":[{"deep":%b,' % _nested(int(levels))
    return transformed(lambda answer: replace(answer, body=answer.body.replace(b'"data":[{', first, 1)))


def deep_body(levels: str = "10000") -> Fault:
    """JSON that is nothing but nested so deep."""
    return always(Answer(body=_nested(int(levels))))


def _nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels
