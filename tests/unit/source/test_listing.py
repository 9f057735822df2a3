"""Lists are read page by page until they are proven, with pages fetched ahead."""

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import RequestRefused
from etl.source import Listing, ListingReader
from tests.support.concurrency_probe import ConcurrencyProbe
from tests.unit.source.lists import ORDERS, Order, still_list
from tests.unit.source.planes import Recorder, client_of, parse_envelope, reader_of, serving

pytestmark = pytest.mark.slow

MODELS = Listing("models")


def test_list_name_in_messages_includes_its_filters() -> None:
    assert str(MODELS) == "models"
    assert str(Listing("models", (("ml_repo_id", "7"), ("name", "n")))) == "models of ml_repo_id 7, name n"


class TestListingRead:
    @given(st.integers(0, 40), st.integers(1, 12), st.integers(1, 4), st.sampled_from(ORDERS))
    def test_yields_every_record_once_and_in_order(
        self, count: int, page_size: int, concurrency: int, order: Order
    ) -> None:
        source = still_list(count, order=order)
        with reader_of(serving(source), page_size=page_size, concurrency=concurrency) as reader:
            listing_read = reader.read(MODELS)
            pages = list(listing_read)

        sweep = [record for page in pages for record in page.new_records]
        assert sweep == source.page(0, 99).records * listing_read.sweeps
        assert listing_read.proof == ("anchored" if page_size > 1 or count < 2 else "confirmed")
        assert listing_read.total == count
        assert listing_read.listing == MODELS

    def test_of_one_page_that_meets_total_takes_one_request(self) -> None:
        requests = Recorder(serving(still_list(2)))
        with reader_of(requests, page_size=3) as reader:
            listing_read = reader.read(MODELS)
            list(listing_read)

        assert (len(requests.received), listing_read.sweeps, listing_read.proof) == (1, 1, "anchored")

    def test_without_proof_is_swept_again_and_yields_those_pages_too(self) -> None:
        source = still_list(5, total=lambda _count: None)
        with reader_of(serving(source), page_size=9) as reader:
            listing_read = reader.read(MODELS)
            pages = list(listing_read)

        assert (listing_read.sweeps, listing_read.proof, listing_read.total) == (2, "confirmed", None)
        assert sum(len(page.new_records) for page in pages) == 10

    def test_that_is_never_proven_ends_after_max_sweeps(self) -> None:
        source = still_list(20, order="unsteady")

        def handler(request: httpx.Request) -> httpx.Response:
            source.insert()
            return serving(source)(request)

        with reader_of(handler, page_size=9, max_sweeps=4) as reader:
            listing_read = reader.read(MODELS)
            list(listing_read)

        assert (listing_read.sweeps, listing_read.proof) == (4, None)

    @pytest.mark.parametrize("total", [None, 10, 10**9])
    def test_that_has_no_end_is_read_once_up_to_max_records(self, total: int | None) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            offset = int(request.url.params["offset"])
            return parse_envelope([{"id": number} for number in range(offset, offset + 9)], total)

        requests = Recorder(handler)
        with ListingReader(client_of(requests), 9, 2, 3, max_records=200) as reader:
            listing_read = reader.read(MODELS)
            records = sum(len(page.new_records) for page in listing_read)

        assert (listing_read.proof, listing_read.sweeps, listing_read.endless) == (None, 1, "max_records")
        assert 200 < records <= 209
        assert len(requests.received) <= 200 / 8 + 4

    def test_sends_its_filters_with_every_page(self) -> None:
        requests = Recorder(serving(still_list(5)))
        with reader_of(requests) as reader:
            list(reader.read(Listing("model-versions", (("model_id", "m"), ("run_id", "r")))))

        assert {request.url.path for request in requests.received} == {"/api/ml/v1/model-versions"}
        assert {request.url.params["model_id"] for request in requests.received} == {"m"}
        assert {request.url.params["run_id"] for request in requests.received} == {"r"}

    def test_sends_several_requests_at_the_same_time(self) -> None:
        probe = ConcurrencyProbe(3)

        def handler(request: httpx.Request) -> httpx.Response:
            with probe.joined():
                return serving(still_list(100))(request)

        with reader_of(handler, page_size=3, concurrency=3) as reader:
            offsets = [page.offset for page in reader.read(MODELS)]

        assert offsets == list(range(0, 99, 2))
        assert probe.most == 3

    def test_holds_no_more_pages_than_may_be_fetched_ahead(self) -> None:
        requests = Recorder(serving(still_list(500)))
        with reader_of(requests, page_size=3, concurrency=2) as reader:
            pages = iter(reader.read(MODELS))
            for _ in range(10):
                next(pages)
            read_offsets = [next(pages).offset for _ in range(5)]

            assert max(requests.offsets()) <= read_offsets[-1] + 2 * 2

    def test_continues_after_the_last_record_if_pages_get_shorter(self) -> None:
        source = still_list(40)

        def handler(request: httpx.Request) -> httpx.Response:
            offset, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
            return parse_envelope(source.page(offset, limit if offset < 10 else 3).records, 40)

        with reader_of(handler, page_size=8, concurrency=3) as reader:
            listing_read = reader.read(MODELS)
            ids = [record["id"] for page in listing_read for record in page.new_records]

        assert ids == [f"row-{number}" for number in range(1, 41)]
        assert listing_read.proof == "anchored"

    def test_fails_with_a_failed_page_and_stops_fetching(self) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            page = serving(still_list(100))(request)
            return page if int(request.url.params["offset"]) < 4 else httpx.Response(409)

        requests = Recorder(handler)
        with reader_of(requests, page_size=3, concurrency=2) as reader:
            pages = iter(reader.read(MODELS))
            assert [next(pages).offset, next(pages).offset] == [0, 2]
            with pytest.raises(RequestRefused, match="409") as caught:
                next(pages)

        assert caught.value.status == 409
        assert len(requests.received) <= 5


class TestReadMany:
    @given(st.lists(st.integers(0, 7), max_size=12), st.integers(1, 4))
    def test_are_yielded_in_the_order_of_their_lists(self, counts: list[int], concurrency: int) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            return serving(still_list(counts[int(request.url.params["model_id"])]))(request)

        listings = [Listing("model-versions", (("model_id", str(n)),)) for n in range(len(counts))]
        with reader_of(handler, concurrency=concurrency) as reader:
            read = [
                (listing_read.listing, sum(len(page.new_records) for page in listing_read), listing_read.proof)
                for listing_read in reader.read_many(listings)
            ]

        assert read == [(listing, count, "anchored") for listing, count in zip(listings, counts, strict=True)]

    def test_take_their_lists_from_the_iterable_as_needed(self) -> None:
        pulled: list[int] = []

        def listings() -> Iterator[Listing]:
            for number in range(100):
                pulled.append(number)
                yield Listing("model-versions", (("model_id", str(number)),))

        with reader_of(serving(still_list(1)), concurrency=3) as reader:
            listing_reads = reader.read_many(listings())
            for _ in range(5):
                list(next(listing_reads))

            assert pulled == list(range(8))

    def test_request_the_first_pages_of_the_next_lists_ahead(self) -> None:
        probe = ConcurrencyProbe(3)

        def handler(request: httpx.Request) -> httpx.Response:
            with probe.joined():
                return serving(still_list(1))(request)

        listings = [Listing("model-versions", (("model_id", str(number)),)) for number in range(12)]
        with reader_of(handler, concurrency=3) as reader:
            proofs = [listing_read.proof for listing_read in reader.read_many(listings) if list(listing_read)]

        assert proofs == ["anchored"] * 12
        assert probe.most == 3

    def test_that_are_not_consumed_are_cancelled(self) -> None:
        listings = (Listing("model-versions", (("model_id", str(number)),)) for number in range(100))
        requests = Recorder(serving(still_list(1)))
        with reader_of(requests, concurrency=2) as reader:
            listing_reads = reader.read_many(listings)
            list(next(listing_reads))
            listing_reads.close()  # type: ignore[attr-defined]

        assert len(requests.received) <= 3
