"""The prefix, lists and single records of a control plane."""

import threading
from typing import Any

import httpx
import pytest

from etl import __version__
from etl.errors import (
    ConfigError,
    NotAControlPlane,
    RequestRefused,
    SourceUnavailable,
    TokenRefused,
)
from etl.source import Client
from etl.source.throttle import Throttle
from tests.unit.source.conftest import Time
from tests.unit.source.planes import TOKEN, Handler, answers, client_of, parse_envelope, settings, transport_of

HTML = httpx.Response(200, html="<html><body>Log in</body></html>")


def api_below(prefix: str, elsewhere: httpx.Response) -> Handler:
    """A control plane whose API is below one prefix."""
    return lambda request: parse_envelope([]) if request.url.path.startswith(prefix) else elsewhere


class TestDiscovery:
    @pytest.mark.parametrize("elsewhere", [HTML, httpx.Response(404), httpx.Response(405), httpx.Response(403)])
    @pytest.mark.parametrize("prefix", ["/api/ml/v1", "/api/svc/v1"])
    def test_finds_the_prefix_that_answers(self, prefix: str, elsewhere: httpx.Response) -> None:
        with client_of(api_below(prefix, elsewhere)) as client:
            assert client.discover() == prefix
            assert client.prefix == prefix
            assert client.retries == 0

    def test_prefers_the_documented_prefix_and_asks_for_one_record(self) -> None:
        seen: list[httpx.URL] = []

        def handler(request: httpx.Request) -> httpx.Response:
            seen.append(request.url)
            return parse_envelope([])

        with client_of(handler) as client:
            client.discover()

        assert [str(url) for url in seen] == ["https://plane.example/api/ml/v1/models?offset=0&limit=1"]

    def test_logs_the_prefix_found(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO"), client_of(api_below("/api/svc", HTML)) as client:
            client.discover()

        assert "/api/svc/v1" in caplog.text

    @pytest.mark.parametrize("prefix", ["/custom/v9", "custom/v9/"])
    def test_uses_and_checks_a_configured_prefix(self, prefix: str) -> None:
        with client_of(api_below("/custom/v9/", HTML), api_prefix=prefix) as client:
            assert client.discover() == "/custom/v9"
            assert client.requests == 1

    def test_requests_nothing_outside_a_configured_prefix(self) -> None:
        with client_of(api_below("/api/ml/v1", HTML), api_prefix="/wrong") as client:
            with pytest.raises(NotAControlPlane, match=r"below /wrong: .*--api-prefix"):
                client.discover()
            assert client.requests == 1

    def test_retries_a_truncated_answer(self) -> None:
        answers = iter([httpx.Response(200, content=b'{"data": ['), httpx.Response(200, json={"data": []})])
        with client_of(lambda _: next(answers)) as client:
            assert client.discover() == "/api/ml/v1"
            assert client.retries == 1

    def test_rejects_a_host_that_never_answers_with_json(self) -> None:
        truncated = httpx.Response(200, content=b'{"data": [')
        with client_of(lambda _: truncated) as client, pytest.raises(NotAControlPlane):
            client.discover()

    @pytest.mark.parametrize("answer", [HTML, httpx.Response(404), httpx.Response(200, json={"data": 1})])
    def test_rejects_a_host_that_is_no_control_plane(self, answer: httpx.Response) -> None:
        with client_of(lambda _: answer) as client:
            with pytest.raises(NotAControlPlane, match=r"https://plane\.example .*login page or another service"):
                client.discover()
            assert (client.requests, client.retries) == (2, 0)

    def test_stops_if_the_token_is_refused(self) -> None:
        with client_of(lambda _: httpx.Response(401)) as client:
            with pytest.raises(TokenRefused, match=r"\(401\)"):
                client.discover()
            assert client.requests == 1

    def test_raises_forbidden_only_if_the_other_prefix_does_not_answer(self) -> None:
        with client_of(api_below("/none", httpx.Response(403))) as client:
            with pytest.raises(TokenRefused, match=r"/api/ml/v1/models \(403"):
                client.discover()
            assert client.requests == 2

    def test_does_not_follow_a_redirect(self) -> None:
        redirect = httpx.Response(302, headers={"location": "https://login.example/?next=secret"})
        with client_of(lambda _: redirect) as client:
            with pytest.raises(ConfigError, match=r"to login\.example \(302\)"):
                client.discover()
            assert client.requests == 1

    def test_raises_other_refusals_unchanged(self) -> None:
        with client_of(lambda _: httpx.Response(409)) as client, pytest.raises(RequestRefused, match="409"):
            client.discover()

    def test_retries_an_unreachable_host_and_then_gives_up(self, throttle: Throttle) -> None:
        def handler(_: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("[Errno 111] Connection refused")

        with client_of(handler, throttle=throttle, max_retries=2) as client:
            with pytest.raises(SourceUnavailable, match=r"3 tries.*no connection \(Connection refused\)"):
                client.discover()
            assert (client.requests, client.retries) == (3, 2)


class TestListing:
    def test_requests_a_page_with_filters(self) -> None:
        seen: list[httpx.Request] = []

        def handler(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return parse_envelope([{"id": "a"}], total=7)

        with client_of(handler, host="https://corp.example/tfy/", api_prefix="/api/ml/v1") as client:
            page = client.list_page("models", (("fqn", "model:t/r/m&n"), ("include_empty_models", "true")), 4, 3)

        assert (page.offset, page.asked, page.records, page.total) == (4, 3, [{"id": "a"}], 7)
        assert str(seen[0].url) == (
            "https://corp.example/tfy/api/ml/v1/models"
            "?fqn=model%3At%2Fr%2Fm%26n&include_empty_models=true&offset=4&limit=3"
        )
        assert seen[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert seen[0].headers["accept"] == "application/json"
        assert seen[0].headers["user-agent"] == f"tfy-etl/{__version__}"

    @pytest.mark.parametrize(
        ("pagination", "total", "limit"),
        [
            ({"total": 5, "limit": 2}, 5, 2),
            ({"total": 0, "limit": 0}, 0, None),
            ({"total": -1, "limit": -1}, None, None),
            ({"total": True, "limit": True}, None, None),
            ({"total": "5", "limit": "2"}, None, None),
            ({"total": 5.0, "limit": 2.5}, None, None),
            ({"total": None, "limit": None}, None, None),
            ({}, None, None),
            ([], None, None),
            (None, None, None),
        ],
    )
    def test_accepts_only_integers_as_total_and_limit(
        self, pagination: Any, total: int | None, limit: int | None
    ) -> None:
        response = httpx.Response(200, json={"data": [], "pagination": pagination})
        with client_of(lambda _: response) as client:
            page = client.list_page("models", (), 0, 5)

        assert (page.total, page.limit) == (total, limit)

    def test_retries_a_malformed_answer(self, throttle: Throttle) -> None:
        responses = answers(HTML, httpx.Response(503), httpx.Response(200, json={}), parse_envelope([1]))
        with client_of(responses, throttle=throttle) as client:
            assert client.list_page("models", (), 0, 5).records == [1]
            assert (client.requests, client.retries) == (4, 3)

    def test_waits_as_long_as_the_server_asks(self, throttle: Throttle, time: Time) -> None:
        responses = answers(httpx.Response(429, headers={"Retry-After": "8"}), parse_envelope([]))
        with client_of(responses, throttle=throttle) as client:
            client.list_page("models", (), 0, 5)

        assert time.slept == [8]

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
    def test_does_not_retry_a_refusal(self, status: int) -> None:
        with client_of(lambda _: httpx.Response(status)) as client:
            with pytest.raises((RequestRefused, TokenRefused), match=str(status)):
                client.list_page("models", (), 0, 5)
            assert client.requests == 1

    def test_counts_the_bytes_received(self) -> None:
        body = b'{"data": []}'
        with client_of(lambda _: httpx.Response(200, content=iter([body]))) as client:
            client.list_page("models", (), 0, 5)

            assert client.bytes_received == len(body)


class TestOneRecord:
    def test_is_returned_for_an_id_of_any_characters(self) -> None:
        seen: list[str] = []

        def handler(request: httpx.Request) -> httpx.Response:
            seen.append(request.url.raw_path.decode())
            return httpx.Response(200, json={"data": {"id": "a/b?c"}})

        with client_of(handler, api_prefix="/api") as client:
            assert client.get("models", "a/b?c") == {"id": "a/b?c"}
        assert seen == ["/api/models/a%2Fb%3Fc"]

    @pytest.mark.parametrize("status", [404, 410])
    def test_that_does_not_exist_is_none(self, status: int) -> None:
        with client_of(lambda _: httpx.Response(status)) as client:
            assert client.get("models", "a") is None

    def test_that_is_refused_raises_the_error(self) -> None:
        with client_of(lambda _: httpx.Response(409)) as client, pytest.raises(RequestRefused):
            client.get("models", "a")


def test_main_thread_that_handles_signals_sends_no_requests() -> None:
    threads: set[threading.Thread] = set()

    def handler(request: httpx.Request) -> httpx.Response:
        threads.add(threading.current_thread())
        return parse_envelope([]) if request.url.path.endswith("/models") else httpx.Response(404)

    with client_of(handler) as client:
        client.discover()
        client.get("models", "a")

    assert threads
    assert threading.main_thread() not in threads


class TestSettings:
    def test_without_a_token_raise_config_error(self) -> None:
        with pytest.raises(ConfigError, match="No token"):
            Client(settings(api_key=None))

    def test_without_a_host_raise_config_error(self) -> None:
        with pytest.raises(ConfigError, match="No host"):
            Client(settings(host=None))

    def test_with_a_separate_token_use_that_token(self) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            return parse_envelope([request.headers["authorization"]])

        with Client(settings(api_key=None), "other", transport=transport_of(handler)) as client:
            assert client.list_page("models", (), 0, 1).records == ["Bearer other"]
