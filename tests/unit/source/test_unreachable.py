"""The error of a first request that reaches no server names what to check."""

import httpx
import pytest

from etl.errors import ConfigError
from etl.source.exceptions import TransientError, Unreachable
from etl.source.throttle import Throttle
from etl.source.transport import Transport
from tests.unit.source.planes import TOKEN, settings, transport_of


def get(host: str) -> None:
    opened = Transport(settings(host=host), TOKEN, Throttle(1))
    try:
        opened.get("/models")
    finally:
        opened.close()


def test_first_request_to_a_closed_port_or_an_unknown_host_names_what_to_check() -> None:
    with pytest.raises(Unreachable, match=r"Nothing listens on port 1 of 127\.0\.0\.1 .*check the port and the scheme"):
        get("http://127.0.0.1:1")
    with pytest.raises(Unreachable, match=r"The host no_such_host is unknown .*check the name in TFY_HOST"):
        get("https://no_such_host")


@pytest.mark.parametrize("host", ["your-control-plane.example", "plane.invalid", "app.example.com"])
def test_example_host_of_the_docs_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="is only an example: set TFY_HOST"):
        get(f"https://{host}")


def test_later_request_to_a_closed_port_is_transient(throttle: Throttle) -> None:
    failing = False

    def handler(_: httpx.Request) -> httpx.Response:
        if failing:
            raise httpx.ConnectError("all attempts failed") from ConnectionRefusedError(111, "Connection refused")
        return httpx.Response(200)

    opened = Transport(settings(), TOKEN, throttle, transport_of(handler))
    opened.get("/models")
    failing = True
    with pytest.raises(TransientError, match="no connection") as raised:
        opened.get("/models")
    assert not isinstance(raised.value, Unreachable)


def test_proxy_that_refuses_connections_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

    with pytest.raises(Unreachable, match="The proxy cannot be reached: check HTTPS_PROXY"):
        get("https://plane.tfy")
