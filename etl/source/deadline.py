"""A time limit for a whole exchange, from the connection to the last byte.

httpx limits each read by itself, so a server that sends a byte now and then could hold a request forever: in the status
line, in headers, in chunk sizes, or with interim answers. Here each read and write gets the time that is left.
"""

import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

_ends: ContextVar[float] = ContextVar("ends")


@contextmanager
def request_deadline(seconds: float) -> Iterator[None]:
    """Limit all network calls of this thread within the block, which end with httpx.TimeoutException."""
    before = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(before)


def install(client: httpx.Client) -> None:
    """Let the client's connections, direct or through a proxy, obey `request_deadline`."""
    # httpx passes no network backend to httpcore, which accepts one. A release of httpx that renames these attributes
    # raises AttributeError here.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool  # noqa: SLF001
            pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001


def _left(timeout: float | None) -> float | None:
    """The seconds that a network call may take. Raises httpx.ReadTimeout if no time is left."""
    ends = _ends.get(None)
    if ends is None:
        return timeout
    left = ends - time.monotonic()
    if left <= 0:
        raise httpx.ReadTimeout("the answer took too long")
    return left if timeout is None else min(timeout, left)


def _limit_reads(connection: ssl.SSLSocket) -> None:
    """Limit each read of a TLS connection to a proxy.

    Inside it begins the TLS of the control plane. httpcore reads a record of it in parts, each with the whole timeout.
    """
    receive = connection.recv

    def receive_in_time(buflen: int = 1024, flags: int = 0) -> bytes:
        connection.settimeout(_left(connection.gettimeout()))
        return receive(buflen, flags)

    connection.recv = receive_in_time  # type: ignore[method-assign]


class _Stream(httpcore.NetworkStream):
    """A connection whose reads and writes end with the time limit."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._inner.read(max_bytes, _left(timeout))
        except httpcore.ReadTimeout:
            _left(timeout)  # if the time limit caused this, say so
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        connection = self._inner.get_extra_info("socket")
        if isinstance(connection, ssl.SSLSocket):
            _limit_reads(connection)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens connections of this kind."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(host, port, _left(timeout), local_address, socket_options))
