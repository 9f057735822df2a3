"""Faults between the client and a server that really listens."""

import gzip
import logging
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest
import trustme

from etl.errors import ConfigError, SourceError
from etl.source import transport
from etl.source.exceptions import InvalidPath, TooLarge, TransientError
from etl.source.size_limits import SizeLimit
from etl.source.throttle import Throttle
from etl.source.transport import Transport
from tests.unit.source.conftest import Respond, Serve, Time
from tests.unit.source.planes import TOKEN, get, responding, settings, transport_of


def test_compressed_body_is_decompressed_and_counted_as_transferred(serve: Serve) -> None:
    packed = gzip.compress(b"x" * 1000)
    opened = Transport(settings(host=serve(responding(packed, Content_Encoding="gzip"))), TOKEN, Throttle(1))

    assert opened.get("/models").body == b"x" * 1000
    assert (opened.requests, opened.bytes_received) == (1, len(packed))
    opened.close()


@pytest.mark.parametrize("parts", [(b"one", b"two"), (b"", b"one", b"", b"two")])
def test_compressed_body_of_several_members_is_decompressed_whole(parts: tuple[bytes, ...], serve: Serve) -> None:
    packed = b"".join(map(gzip.compress, parts))
    opened = Transport(settings(host=serve(responding(packed, Content_Encoding="gzip"))), TOKEN, Throttle(1))

    assert opened.get("/models").body == b"onetwo"
    opened.close()


@pytest.mark.parametrize(
    ("respond", "words"),
    [
        (responding(b'{"da', Content_Length="100"), "broke off"),
        (responding(b"5\r\nabc", Transfer_Encoding="chunked"), "broke off"),
        (responding(b"no gzip at all", Content_Encoding="gzip"), "could not be unpacked"),
        (responding(gzip.compress(b"{}")[:-9], Content_Encoding="gzip"), "could not be unpacked.*too early"),
        (lambda server: server.connection.close(), "broke off"),
        (lambda server: server.wfile.write(b"nonsense\r\n\r\n"), "broke off"),
    ],
)
def test_broken_answer_raises_transient_error(serve: Serve, respond: Respond, words: str) -> None:
    with pytest.raises(TransientError, match=f"/models: .*{words}"):
        get(serve(respond))


def test_silent_server_times_out(serve: Serve) -> None:
    done = threading.Event()

    with pytest.raises(TransientError, match="no answer in time"):
        get(serve(lambda _: done.wait(20)), timeout=0.1)
    done.set()


def test_stalled_body_times_out(serve: Serve) -> None:
    done = threading.Event()

    def respond(server: BaseHTTPRequestHandler) -> None:
        responding(b'{"data"', Content_Length="100")(server)
        done.wait(20)

    with pytest.raises(TransientError, match="no answer in time"):
        get(serve(respond), timeout=0.1)
    done.set()


def test_dripping_body_times_out(serve: Serve) -> None:
    done = threading.Event()

    def respond(server: BaseHTTPRequestHandler) -> None:
        responding(b"")(server)
        while not done.wait(0.02):
            server.wfile.write(b" ")

    with pytest.raises(TransientError, match=r"no answer in time \(the answer took too long\)"):
        get(serve(respond), timeout=0.2)
    done.set()


def test_body_above_the_size_limit_when_decompressed_is_too_large(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "SINGLE_RECORD_LIMIT", SizeLimit(10_000, 10**9))
    bomb = gzip.compress(b" " * 1_000_000)

    with pytest.raises(TooLarge, match="lower --page-size"):
        get(serve(responding(bomb, Content_Encoding="gzip")))


def test_body_above_the_size_limit_as_transferred_is_too_large(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SINGLE_RECORD_LIMIT", SizeLimit(10_000, 10**9))
    oversized = gzip.compress(b"{}") + bytes(1_000_000)

    with pytest.raises(TooLarge, match="lower --page-size"):
        get(serve(responding(oversized, Content_Encoding="gzip")))


def test_body_in_an_encoding_that_was_not_requested_stays_compressed(serve: Serve) -> None:
    packed = gzip.compress(gzip.compress(b"{}"))

    for coding in ("gzip, gzip", "br", "deflate"):
        assert get(serve(responding(packed, Content_Encoding=coding))).body == packed


@pytest.mark.parametrize("length", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20 + 7])
def test_compressed_body_of_any_length_is_read_completely(serve: Serve, length: int) -> None:
    body = bytes(length)

    assert get(serve(responding(gzip.compress(body), Content_Encoding="X-GZIP"))).body == body


def test_empty_body_with_gzip_header_is_accepted(serve: Serve) -> None:
    assert get(serve(responding(b"", status=401, Content_Encoding="gzip"))).status == 401


def test_dripping_compressed_body_without_content_times_out(serve: Serve) -> None:
    head, nothing, done = gzip.compress(b"")[:10], b"\0\0\0\xff\xff", threading.Event()

    def respond(server: BaseHTTPRequestHandler) -> None:
        responding(head, Content_Encoding="gzip")(server)
        while not done.wait(0.02):
            server.wfile.write(nothing)

    with pytest.raises(TransientError, match="took too long"):
        get(serve(respond), timeout=0.2)
    done.set()


def test_timeout_lowers_the_limit_of_concurrent_requests(serve: Serve) -> None:
    done, throttle = threading.Event(), Throttle(4)
    opened = Transport(settings(host=serve(lambda _: done.wait(20)), timeout=0.1), TOKEN, throttle)

    with pytest.raises(TransientError):
        opened.get("/models")
    done.set()
    opened.close()

    assert throttle._limit.now == 1


@pytest.mark.parametrize(
    ("path", "params", "limit"),
    [
        ("/models", [("offset", "40"), ("limit", "5")], 1),
        ("/models", [("offset", "0"), ("limit", "500")], 4),
        ("/model-versions", [("offset", "0"), ("limit", "5")], 4),
        ("/models/id", [], 4),
    ],
)
def test_limit_falls_only_if_pages_of_the_same_list_and_size_slow_down(
    path: str, params: list[tuple[str, str]], limit: int, time: Time
) -> None:
    latency = 0.1

    def handler(_: httpx.Request) -> httpx.Response:
        time.now += latency
        return httpx.Response(200, stream=httpx.ByteStream(b""))

    throttle = Throttle(4, clock=time.clock, sleep=time.sleep)
    throttle._limit.now = 4
    opened = Transport(settings(), TOKEN, throttle, transport_of(handler))
    for _ in range(8):
        opened.get("/models/id")
        opened.get("/models", [("offset", "0"), ("limit", "5")])
    latency = 1.0
    for _ in range(16):
        opened.get(path, params)

    assert throttle._limit.now == limit


@pytest.mark.parametrize("target", ["http", "https"])
@pytest.mark.parametrize("source", ["http", "https"])
def test_redirect_is_not_followed_with_the_token(serve: Serve, tmp_path: Path, source: str, target: str) -> None:
    authorizations: list[str | None] = []

    def record_authorization(server: BaseHTTPRequestHandler) -> None:
        authorizations.append(server.headers["authorization"])

    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = {"http": None, "https": context}
    target_url = serve(record_authorization, tls=tls[target])
    for status in (301, 302, 303, 307, 308):
        redirecting = serve(responding(b"", status=status, Location=f"{target_url}/models"), tls=tls[source])

        assert get(redirecting, ca_bundle=tmp_path / "ca.pem").status == status
    assert authorizations == []


class TestCertificates:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def secure(self, serve: Serve, authority: trustme.CA) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        return serve(responding(b"seen"), tls=context)

    @pytest.fixture
    def bundle(self, authority: trustme.CA, tmp_path: Path) -> Path:
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        return tmp_path / "ca.pem"

    def test_of_an_unknown_authority_are_rejected_with_the_option_to_use(self, secure: str) -> None:
        with pytest.raises(SourceError, match=r"is not trusted \(.*--ca-bundle"):
            get(secure)

    def test_of_another_host_are_rejected(self, serve: Serve, authority: trustme.CA, bundle: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("other.example").configure_cert(context)

        with pytest.raises(SourceError, match="is not trusted"):
            get(serve(responding(b""), tls=context), ca_bundle=bundle)

    def test_of_a_given_authority_are_trusted(self, secure: str, bundle: Path) -> None:
        assert get(secure, ca_bundle=bundle).body == b"seen"

    @pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
    def test_of_an_authority_in_the_environment_are_trusted(
        self, secure: str, bundle: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, str(bundle))

        assert get(secure).body == b"seen"

    @pytest.mark.parametrize(
        ("content", "reason"), [(None, "No such file"), (b"", "PEM form"), (b"not a certificate", "PEM form")]
    )
    def test_file_that_is_unusable_is_named_in_the_error(
        self, tmp_path: Path, content: bytes | None, reason: str
    ) -> None:
        path = tmp_path / "broken.pem"
        if content is not None:
            path.write_bytes(content)

        with pytest.raises(ConfigError, match=rf"broken\.pem: .*{reason}"):
            get("https://plane.example", ca_bundle=path)

    def test_file_in_the_environment_that_is_unusable_names_its_variable(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))

        with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
            get("https://plane.example")

    def test_plain_http_instead_of_tls_names_the_scheme_to_write(self, serve: Serve) -> None:
        address = serve(responding(b"")).removeprefix("http://")
        with pytest.raises(
            ConfigError, match=f"{address} answers, but not in https: .* set TFY_HOST or --host to http://{address}"
        ):
            get(address)


@pytest.mark.parametrize("host", [f"http://{'a' * 64}.localhost", "https://xn--a.example", "https://exämple..de"])
def test_impossible_address_raises_config_error(host: str) -> None:
    with pytest.raises(ConfigError, match="check both for invalid characters"):
        get(host, allow_insecure_http=True)


def test_filter_that_no_url_can_hold_raises_invalid_path() -> None:
    opened = Transport(settings(), TOKEN, Throttle(1), httpx.MockTransport(lambda _: httpx.Response(200)))

    with pytest.raises(InvalidPath, match="check both for invalid characters"):
        opened.get("/models", [("name", "\udcff")])


@pytest.mark.parametrize(
    "fault",
    [httpx.LocalProtocolError, httpx.ReadError, httpx.ConnectTimeout, httpx.DecodingError, httpx.ProxyError],
)
def test_error_and_log_of_any_fault_do_not_contain_the_token(
    fault: Callable[[str], Exception], caplog: pytest.LogCaptureFixture
) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise fault(f"header b'Bearer {TOKEN}'")

    caplog.set_level(logging.DEBUG)
    opened = Transport(settings(), TOKEN, Throttle(1), httpx.MockTransport(handler))

    with pytest.raises((ConfigError, TransientError)) as caught:
        opened.get("/models")

    assert TOKEN not in str(caught.value)
    assert TOKEN not in caplog.text


def test_cookies_are_sent_back_and_do_not_grow_without_bound() -> None:
    sent: list[int] = []

    def set_another_cookie(request: httpx.Request) -> httpx.Response:
        sent.append(len(request.headers.get("cookie", "").split(";")) if "cookie" in request.headers else 0)
        return httpx.Response(200, headers={"Set-Cookie": f"sticky-{len(sent)}=1"})

    opened = Transport(settings(), TOKEN, Throttle(1), transport_of(set_another_cookie))
    for _ in range(120):
        opened.get("/models")
    opened.close()

    assert sent[:3] == [0, 1, 2]
    assert max(sent) == 50
