"""Limits on the size of an answer, so that a run's memory stays bounded whatever the server sends.

Parsed JSON takes more memory than its text: an empty object of three bytes takes 72. So the memory is estimated from
the text, before it is parsed. Several pages are in memory at the same time, but only one record that fills a page
alone.
"""

from typing import NamedTuple

MAX_RECORDS = 50_000
"""Records of one answer, whatever was requested."""

_MIB = 2**20
_MEMORY = 128 * _MIB
"""Estimated memory of all pages that are fetched at the same time."""
_FEWEST_WORKERS = 4

# Bytes of memory for each part of the text, as measured, or more. One emoji makes each letter of a text take 4 bytes.
_PER_BYTE, _PER_ITEM, _PER_OBJECT, _PER_LIST = 4, 76, 200, 100


class SizeLimit(NamedTuple):
    """The largest body in bytes, and the largest estimated memory of its JSON."""

    body: int
    memory: int
    advice: str = "lower --page-size"

    @property
    def exceeded(self) -> str:
        """What is wrong with an answer above the limit, and what to do."""
        return f"more than {self.body // _MIB} MiB, or too many values: {self.advice}."


SINGLE = SizeLimit(
    16 * _MIB,
    88 * _MIB,
    "no run can hold this one record, so shorten it at the source, to 100,000 metrics for example",
)
"""The limit of an answer with one record, which cannot be divided."""


def page_limit(workers: int) -> SizeLimit:
    """The limit of a page of several records, if this many workers fetch pages at the same time."""
    memory = _MEMORY // max(workers, _FEWEST_WORKERS)
    return SizeLimit(min(SINGLE.body, memory // _PER_BYTE), memory)


def memory_of(body: bytes | bytearray) -> int:
    """An estimate of the memory that the JSON in the body takes once it is parsed; rather too much than too little."""
    return (
        _PER_BYTE * len(body)
        + _PER_ITEM * body.count(b",")
        + _PER_OBJECT * body.count(b"{")
        + _PER_LIST * body.count(b"[")
    )
