"""The size of pages: lowered where the server or a large record demands it."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from etl.errors import RequestRefused, SourceError
from etl.source import Listing, transport
from etl.source.exceptions import LimitRefused, TooLarge
from etl.source.size_limits import SizeLimit
from tests.unit.source.lists import still_list
from tests.unit.source.planes import Handler, Recorder, parse_envelope, reader_of, serving

pytestmark = pytest.mark.slow

MODELS = Listing("models")


def limited(maximum: int, body: Callable[[int], Any], status: int = 422) -> Handler:
    """A control plane that refuses pages of more than `maximum` records."""

    def handler(request: httpx.Request) -> httpx.Response:
        if int(request.url.params["limit"]) > maximum:
            return httpx.Response(status, json=body(maximum))
        return serving(still_list(20))(request)

    return handler


class TestThePageSize:
    @pytest.mark.parametrize(
        "body",
        [
            lambda maximum: {"detail": [{"loc": ["query", "limit"], "msg": "too much", "ctx": {"le": maximum}}]},
            lambda maximum: {"statusCode": 400, "message": f"limit must not be greater than {maximum}"},
        ],
    )
    def test_is_lowered_to_the_largest_size_in_the_answer(self, body: Callable[[int], Any]) -> None:
        requests = Recorder(limited(7, body))
        with reader_of(requests, page_size=400) as reader:
            listing_read = reader.read(MODELS)
            pages = list(listing_read)

        assert requests.limits() == [400] + [7] * (len(requests.received) - 1)
        assert (reader.page_size, listing_read.proof) == (7, "anchored")
        assert sum(len(page.new_records) for page in pages) == 20

    def test_is_halved_if_the_answer_names_no_size(self) -> None:
        requests = Recorder(limited(7, lambda _most: {"message": "limit too large"}, status=400))
        with reader_of(requests, page_size=40) as reader:
            list(reader.read(MODELS))

        assert requests.limits()[:4] == [40, 20, 10, 5]
        assert set(requests.limits()[3:]) == {5}

    def test_once_lowered_applies_to_all_later_pages(self, caplog: pytest.LogCaptureFixture) -> None:
        requests = Recorder(limited(7, lambda maximum: {"message": f"limit above {maximum}"}))
        with reader_of(requests, page_size=40, concurrency=1) as reader:
            list(reader.read(MODELS))
            list(reader.read(Listing("model-versions")))

        assert requests.limits().count(40) == 1
        assert caplog.text.count("pages of 7 instead of 40") == 1

    def test_of_one_if_refused_raises_the_error(self) -> None:
        with (
            reader_of(limited(0, lambda _most: {"message": "limit too large"}), page_size=4) as reader,
            pytest.raises(LimitRefused),
        ):
            list(reader.read(MODELS))

    def test_is_halved_if_an_answer_is_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "page_limit", lambda _workers: SizeLimit(800, 10**9))
        with reader_of(serving(still_list(20)), page_size=16) as reader:
            listing_read = reader.read(MODELS)
            pages = list(listing_read)

        assert (reader.page_size, listing_read.proof) == (4, "anchored")
        assert sum(len(page.new_records) for page in pages) == 20

    def test_is_restored_after_a_large_record(self, monkeypatch: pytest.MonkeyPatch) -> None:
        source = still_list(2000)
        large = source.rows[40].record()["id"]

        def handler(request: httpx.Request) -> httpx.Response:
            page = source.page(int(request.url.params["offset"]), int(request.url.params["limit"]))
            records = [{**each, "notes": "x" * 100_000 * (each["id"] == large)} for each in page.records]
            return parse_envelope(records, page.total)

        monkeypatch.setattr(transport, "page_limit", lambda _workers: SizeLimit(100_000, 10**9))
        requests = Recorder(handler)
        with reader_of(requests, page_size=64) as reader:
            listing_read = reader.read(MODELS)
            pages = list(listing_read)

        assert requests.limits()[-1] == 64
        assert 1 in requests.limits()
        assert len({each["id"] for page in pages for each in page.new_records}) == 2000
        assert listing_read.sweeps <= 2
        assert listing_read.proof is not None

    def test_that_fell_during_a_sweep_does_not_make_the_list_look_endless(self) -> None:
        source = still_list(500)
        refused = Recorder(limited(2, lambda _most: {"message": "limit too large"}))

        def handler(request: httpx.Request) -> httpx.Response:
            later = int(request.url.params["offset"]) > 30
            return refused(request) if later and int(request.url.params["limit"]) > 2 else serving(source)(request)

        with reader_of(handler, page_size=16, max_sweeps=1) as reader:
            listing_read = reader.read(MODELS)
            records = sum(len(page.new_records) for page in listing_read)

        assert (records, listing_read.proof) == (500, "anchored")

    def test_is_restored_if_it_was_not_the_cause_of_the_refusal(self) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if "ml_repo_id" in request.url.params:
                return serving(still_list(20))(request)
            return httpx.Response(400, json={"message": "pass a filter besides limit and offset"})

        with reader_of(handler, page_size=16) as reader:
            with pytest.raises(LimitRefused):
                list(reader.read(MODELS))
            assert reader.page_size == 16

    def test_of_one_if_the_record_is_too_large_raises_the_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transport, "SINGLE_RECORD_LIMIT", SizeLimit(10, 10**9))
        monkeypatch.setattr(transport, "page_limit", lambda _workers: SizeLimit(10, 10**9))
        with reader_of(serving(still_list(20)), page_size=2) as reader, pytest.raises(TooLarge):
            list(reader.read(MODELS))

    def test_is_not_lowered_by_another_refusal(self) -> None:
        refused = httpx.Response(422, json={"message": "ml_repo_id is needed"})
        requests = Recorder(lambda _request: refused)
        with reader_of(requests) as reader, pytest.raises(SourceError) as caught:
            list(reader.read(MODELS))

        assert isinstance(caught.value, RequestRefused)
        assert caught.value.status == 422
        assert len(requests.received) == 1
