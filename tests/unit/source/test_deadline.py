"""The time limit of a whole exchange, on connections that always send something."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest
import trustme

from etl.source.exceptions import TransientError
from etl.source.throttle import Throttle
from etl.source.transport import Transport
from tests.support.patience import patience
from tests.unit.source.planes import TOKEN, settings

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
NEVER_SILENT = {
    "status line": (b"HTTP/1.1 200 ", b"x"),
    "header": (OK + b"X-Slow: ", b"x"),
    "headers": (OK, b"X-Slow: x\r\n"),
    "interim answers": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "body": (OK + b"Content-Length: 1000000\r\n\r\n", b" "),
    "chunk size": (CHUNKED, b"0"),
    "chunk extension": (CHUNKED + b"1;", b"x"),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "trailer": (CHUNKED + b"0\r\nX-Slow: ", b"x"),
}

StartEndlessServer = Callable[[bytes, bytes], str]


@pytest.fixture
def endless_server() -> Iterator[StartEndlessServer]:
    """Start a server that sends the start of an answer, then the rest repeatedly; return its address."""
    done, listeners = Event(), list[socket.socket]()

    def serve(connection: socket.socket, start: bytes, repeated: bytes, tls: ssl.SSLContext | None) -> None:
        try:
            with tls.wrap_socket(connection, server_side=True) if tls else connection as stream:
                stream.recv(65_536)
                stream.sendall(start)
                while not done.wait(0.01):
                    stream.sendall(repeated)
        except OSError:
            return  # the client closed the connection, as expected

    def accept(listener: socket.socket, *answer: object) -> None:
        while not done.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            Thread(target=serve, args=(connection, *answer), daemon=True).start()

    def start(first_bytes: bytes, repeated: bytes, tls: ssl.SSLContext | None = None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        Thread(target=accept, args=(listener, first_bytes, repeated, tls), daemon=True).start()
        return f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    done.set()
    for listener in listeners:
        listener.close()


def assert_times_out(host: str, **changes: object) -> None:
    """Check that one request ends at its time limit, which is five times the timeout."""
    opened = Transport(settings(host=host, timeout=0.1, **changes), TOKEN, Throttle(1))
    began = time.monotonic()
    with pytest.raises(TransientError, match=r"/models: no answer in time \(the answer took too long\)"):
        opened.get("/models")
    opened.close()

    assert 0.5 <= time.monotonic() - began < patience()


@pytest.mark.parametrize("part", NEVER_SILENT)
def test_part_of_an_answer_that_never_ends_times_out(part: str, endless_server: StartEndlessServer) -> None:
    assert_times_out(endless_server(*NEVER_SILENT[part]))


def test_answer_over_tls_that_never_ends_times_out(
    endless_server: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))

    assert_times_out(endless_server(*NEVER_SILENT["header"], context), ca_bundle=bundle)


def test_answer_of_a_proxy_that_never_ends_times_out(
    endless_server: StartEndlessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", endless_server(*NEVER_SILENT["header"]))

    assert_times_out("https://plane.example")


def serve_inside_tls(listener: socket.socket, tls: ssl.SSLContext) -> None:
    """Serve as a TLS proxy and the control plane behind it, which sends a long TLS record byte by byte."""
    with suppress(OSError), tls.wrap_socket(listener.accept()[0], server_side=True) as outer:
        outer.recv(65_536)
        outer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = tls.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                inner.do_handshake()
                break
            except ssl.SSLWantReadError:
                outer.sendall(outgoing.read())
                incoming.write(outer.recv(65_536))
        inner.write(OK + b"X-Long: " + b"x" * 16_000)
        for byte in outgoing.read():
            outer.sendall(bytes([byte]))
            time.sleep(0.01)


def test_endless_tls_record_through_a_tls_proxy_times_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "plane.example").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setattr("certifi.where", lambda: str(bundle))  # httpcore trusts these for proxies
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=serve_inside_tls, args=(listener, context), daemon=True).start()
        monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{listener.getsockname()[1]}")

        assert_times_out("https://plane.example", ca_bundle=bundle)


def test_slow_answer_on_a_reused_connection_times_out_from_its_own_start(endless_server: StartEndlessServer) -> None:
    good = OK + b"Content-Length: 2\r\n\r\n{}"
    opened = Transport(settings(host=endless_server(good, b""), timeout=0.1), TOKEN, Throttle(1))
    bodies = [opened.get("/models").body]
    time.sleep(0.6)  # longer than the limit of one exchange
    with pytest.raises(TransientError, match="no answer in time"):
        opened.get("/models")
    opened.close()

    assert bodies == [b"{}"]
