"""Limits on the size of an answer, so that a run's memory stays bounded whatever the server sends.

Parsed JSON takes more memory than its text: `{},` is three bytes of text, but its object takes 72. So the memory is
estimated from the text, before it is parsed. Several pages are in memory at once, but never two records that each fill
a page.
"""

from typing import NamedTuple

from etl.setting_names import name_of

MAX_RECORDS = 50_000
"""Maximum number of records in one answer."""

_MIB = 2**20
_MEMORY = 128 * _MIB
"""Estimated memory of all pages that are fetched at the same time."""
_FEWEST_WORKERS = 4

# Measured bytes of memory per part of the text, rounded up. One emoji makes each character of a text take 4 bytes.
_PER_BYTE, _PER_ITEM, _PER_OBJECT, _PER_LIST = 4, 76, 200, 100


class SizeLimit(NamedTuple):
    """The largest body in bytes, and the largest estimated memory of its JSON."""

    body: int
    memory: int
    advice: str = ""
    """Empty for the limit of a page."""

    @property
    def exceeded_message(self) -> str:
        """The error message for an answer above the limit: what failed, then what to do."""
        return f"more than {self.body // _MIB} MiB, or too many values: {self.advice or lower_page_size()}."


SINGLE_RECORD_LIMIT = SizeLimit(
    16 * _MIB,
    88 * _MIB,
    "shorten this one record at the source, for example to 100,000 metrics",
)
"""The limit of an answer with one record, which cannot be divided."""


def page_limit(workers: int) -> SizeLimit:
    """The limit of a page of several records, if this many workers fetch pages at the same time."""
    memory = _MEMORY // max(workers, _FEWEST_WORKERS)
    return SizeLimit(min(SINGLE_RECORD_LIMIT.body, memory // _PER_BYTE), memory)


def lower_page_size() -> str:
    """The advice for a page that exceeds its limit."""
    return f"lower {name_of('page_size')}"


def memory_of(body: bytes | bytearray) -> int:
    """Estimate the memory of the parsed JSON; errs high."""
    return (
        _PER_BYTE * len(body)
        + _PER_ITEM * body.count(b",")
        + _PER_OBJECT * body.count(b"{")
        + _PER_LIST * body.count(b"[")
    )
