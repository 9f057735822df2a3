"""Limits on concurrent requests and on requests per second, over real HTTP."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from etl.simulator import Fault, Registry, Simulator, fault
from etl.simulator.faults import FaultContext
from etl.simulator.http_types import Proceed, Response
from etl.source import Client, Listing, ListingReader
from tests.support.concurrency_probe import ConcurrencyProbe
from tests.unit.source.planes import TOKEN, settings

VERSIONS = Listing("model-versions")
Apply = Callable[[FaultContext, Proceed], Response]


@contextmanager
def reader_at(apply: Apply, concurrency: int) -> Iterator[ListingReader]:
    """Yield a reader of 450 pages, so that a busy machine has time to send all at once; `apply` handles each answer."""
    registry = Registry.generate(seed=7, ml_repos=2, models=60, versions=30, metrics=0, empty_share=0.0)
    with Simulator(registry, token=TOKEN, faults=[Fault(apply)]) as plane:
        client_settings = settings(host=plane.url, api_prefix="/api/ml/v1", concurrency=concurrency, max_retries=99)
        with Client(client_settings) as client, ListingReader(client, 5, concurrency, 1) as reader:
            yield reader


def read(reader: ListingReader) -> int:
    """Read the list, check its proof, and return the number of versions."""
    listing_read = reader.read(VERSIONS)
    count = sum(len(page.new_records) for page in listing_read)
    assert listing_read.proof == "anchored"
    return count


@pytest.mark.parametrize("maximum", [1, 3, 8])
def test_calm_server_gets_few_requests_first_and_the_maximum_later(maximum: int) -> None:
    probe = ConcurrencyProbe(maximum)

    def apply(_: FaultContext, proceed: Proceed) -> Response:
        with probe.joined():
            return proceed()

    with reader_at(apply, maximum) as reader:
        assert read(reader) == 1800

    assert max(probe.counts[:3]) <= 2
    assert probe.most == maximum


def test_overloaded_server_gets_single_requests_until_it_recovers() -> None:
    overload = fault("rate_limit:none,times=40")
    before, during, after = ConcurrencyProbe(8), ConcurrencyProbe(8), ConcurrencyProbe(8)

    def apply(context: FaultContext, proceed: Proceed) -> Response:
        if not before.together.is_set():
            with before.joined():
                return proceed()
        answer = overload(context, proceed)
        with (during if answer.status == 429 else after).joined():
            return answer

    with reader_at(apply, 8) as reader:
        assert read(reader) == 1800

    # There were eight concurrent requests, then four, then two.
    assert during.counts[8 + 4 + 2 :] == [1] * 26
    assert (before.most, after.most) == (8, 8)


def test_server_gets_no_more_requests_per_second_than_configured() -> None:
    began = time.monotonic()
    with (
        Simulator(Registry.generate(seed=7), token=TOKEN) as plane,
        Client(settings(host=plane.url, requests_per_second=50.0)) as client,
    ):
        client.discover()
        for _ in range(5):
            client.list_page("models", (), 0, 5)

    assert time.monotonic() - began >= 5 / 50  # a machine may be slower, but no sleep is shorter than requested
