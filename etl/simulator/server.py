"""The HTTP server of the simulator: threads, keep-alive, TLS, and faults applied to answers."""

import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from etl.simulator.faults import Fault, FaultContext
from etl.simulator.http_types import Proceed, Request, Response
from etl.simulator.routes import CONTROL_PATH, Api

_POLL = 0.01
"""Seconds that `stop` may wait for the thread that accepts connections."""


class LoggedRequest(NamedTuple):
    """An answered request."""

    method: str
    path: str
    query: dict[str, str]
    status: int


@dataclass(kw_only=True)
class Simulator(Api):
    """A control plane that listens from `start` to `stop`, or inside a `with` block."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 selects a free port."""
    latency: float = 0.0
    """Seconds before each answer."""
    tls: tuple[Path | str, Path | str] | None = None
    """A certificate file and a key file."""
    faults: Sequence[Fault] = ()
    before_request: Callable[[int, str, dict[str, list[str]]], object] | None = None
    """Called with number, path and query of each request before it is answered."""
    log: list[LoggedRequest] = field(default_factory=list, init=False)
    """The requests, without those that change the registry."""
    headers_seen: list[dict[str, str]] = field(default_factory=list, init=False)
    """The headers of the same requests; of the token only the scheme is kept."""

    def __post_init__(self) -> None:
        self._server: _Server | None = None
        self._lock = threading.Lock()
        self._requests = 0

    @property
    def url(self) -> str:
        """The base URL for clients, including the path prefix."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{self.path_prefix}"

    def start(self) -> Self:
        """Listen in a daemon thread."""
        self._server = _Server(self)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(_POLL,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening, and close all connections."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def next_number(self) -> int:
        """Return the number of the next request."""
        with self._lock:
            self._requests += 1
            return self._requests

    def respond(self, request: Request) -> Response:
        """Call the hook, then answer the request through the faults, the first of them outermost."""
        if self.before_request:
            self.before_request(request.number, request.path, request.query)
        context = FaultContext(
            request=request, endpoint=self.endpoint(request.path)[0], registry=self.registry, ask=self.answer
        )
        proceed: Proceed = partial(self.answer, request)
        for fault in reversed(self.faults):
            proceed = partial(fault, context, proceed)
        return proceed()


class _Server(ThreadingHTTPServer):
    """Keeps track of its connections, so that stopping it also closes kept-alive ones."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self._connections: set[Any] = set()
        super().__init__((simulator.host, simulator.port), _Handler)
        if simulator.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*simulator.tls)
            # The thread of each connection does its handshake, so that a stalled client delays no other.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        # The base class would call shutdown() first, which prevents a reset.
        self.close_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._connections):
            # The client may have closed the connection.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients that disconnect or reject the certificate are expected in tests.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Reads the requests of one connection, and writes each answer in one call unless it is streamed."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the simulator keeps its own log."""

    def _exchange(self) -> None:
        simulator = self.server.simulator
        address = urlsplit(self.path)
        control = address.path.removeprefix(simulator.path_prefix).startswith(CONTROL_PATH)
        request = Request(
            method=self.command,
            path=unquote(address.path),
            query=parse_qs(address.query, keep_blank_values=True),
            number=0 if control else simulator.next_number(),
            authorization=self.headers.get("Authorization", ""),
            body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
        )
        if control:
            self._send(simulator.answer(request))
            return
        answer = simulator.respond(request)
        seen = {name.lower(): value for name, value in self.headers.items()}
        if request.authorization:
            seen["authorization"] = request.authorization.partition(" ")[0]
        # Log before the answer is sent: a test may read the log as soon as it has the answer.
        simulator.headers_seen.append(seen)
        query = dict(parse_qsl(address.query))
        simulator.log.append(LoggedRequest(self.command, request.path, query, answer.status))
        time.sleep(simulator.latency + answer.delay)
        self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = _exchange  # noqa: N815 (http.server calls these names)

    def _send(self, answer: Response) -> None:
        if answer.raw:
            self.close_connection = True
            for piece in answer.raw:
                self.wfile.write(piece)
            return
        if answer.reset:
            # A linger time of 0 turns the close into a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            if answer.sent is None:
                return
        headers = {
            "Date": self.date_time_string(),
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            **dict(answer.headers),
        }
        head = f"HTTP/1.1 {answer.status} {responses.get(answer.status, 'Unknown')}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.close_connection = self.close_connection or answer.sent is not None
        self.wfile.write(f"{head}\r\n".encode("latin-1") + answer.body[: answer.sent])
        for piece in answer.stream:
            self.wfile.write(piece)
        if answer.stall:
            self.rfile.read(1)  # returns when the client or `stop` closes the connection
