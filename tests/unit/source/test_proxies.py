"""Which requests use the proxies of the environment."""

from http.server import BaseHTTPRequestHandler

import pytest

from etl.errors import ConfigError
from etl.source.exceptions import TransientError, Unreachable
from tests.unit.source.conftest import Serve
from tests.unit.source.planes import get


def test_proxies_for_https_receive_a_connect_request(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[tuple[str, str]] = []

    def respond(server: BaseHTTPRequestHandler) -> None:
        requests.append((server.command, server.path))
        server.send_error(502)

    monkeypatch.setenv("HTTPS_PROXY", serve(respond))

    with pytest.raises(TransientError, match="the proxy failed"):
        get("https://plane.example")
    assert requests == [("CONNECT", "plane.example:443")]


def test_proxies_are_bypassed_for_hosts_in_no_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[str] = []
    monkeypatch.setenv("HTTPS_PROXY", serve(lambda server: requests.append(server.path)))
    monkeypatch.setenv("NO_PROXY", "plane.invalid")

    with pytest.raises(ConfigError, match=r"plane\.invalid is only an example"):
        get("https://plane.invalid")
    assert requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "127.9.9.9", "localhost", "[::1]", "[::ffff:127.0.0.2]"])
def test_proxies_are_bypassed_for_every_address_of_this_machine(
    host: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[str] = []
    for name in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, serve(lambda server: requests.append(server.path)))

    with pytest.raises(Unreachable, match="Nothing listens on port 1"):
        get(f"http://{host}:1", timeout=0.5)
    assert requests == []


@pytest.mark.parametrize("proxy", ["gopher://user:password@proxy.example", "http://proxy.example:port"])
def test_proxies_that_are_invalid_are_reported_without_their_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)

    with pytest.raises(ConfigError, match="HTTPS_PROXY") as caught:
        get("https://plane.example")
    assert "password" not in str(caught.value)
