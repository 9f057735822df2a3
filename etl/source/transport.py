"""One GET through httpx, limited in time and size."""

import re
import ssl
import zlib
from collections.abc import Hashable, Iterator, Sequence
from threading import Lock

import httpx

import etl
from etl.errors import ConfigError, SourceError
from etl.setting_names import name_of
from etl.settings import Settings
from etl.source import deadline
from etl.source.exceptions import InvalidPath, TooLarge, TransientError
from etl.source.responses import Response, redact_excerpt
from etl.source.size_limits import SINGLE_RECORD_LIMIT, SizeLimit, memory_of, page_limit
from etl.source.throttle import Slot, Throttle
from etl.source.unreachable import cause_of, explain
from etl.urls import is_loopback

_PIECE = 2**20

_CONNECT_TIMEOUT = 10.0
_MAX_COOKIES = 50  # as many as browsers must keep for a host, says RFC 6265
_MAX_TIMEOUTS = 5  # limit for a whole exchange: an answer of many parts may take longer than one wait for each

_IN_WORDS: tuple[tuple[type[httpx.HTTPError], str], ...] = (
    (httpx.ConnectTimeout, "no connection in time"),
    (httpx.TimeoutException, "no answer in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.ProxyError, "the proxy failed"),
    (httpx.DecodingError, "the answer could not be unpacked"),
    (httpx.TransportError, "the connection broke off"),
)


class Transport:
    """Sends requests, with the token, to one address and no other."""

    def __init__(
        self, settings: Settings, token: str, throttle: Throttle, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Raise ConfigError if the CA file or the proxy settings cannot be used."""
        self.requests = 0
        self.bytes_received = 0
        self._lock = Lock()
        self._secret = token
        self._reached = False
        self._throttle = throttle
        self._base = settings.base_url()
        self._page_limit = page_limit(settings.concurrency)
        self._deadline = settings.timeout * _MAX_TIMEOUTS
        connections = settings.concurrency + 1
        verify = _trust(settings)
        try:
            self._http = httpx.Client(
                headers={
                    "Authorization": f"Bearer {token}",
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip",
                    "User-Agent": f"tfy-etl/{etl.__version__}",
                },
                timeout=httpx.Timeout(settings.timeout, connect=min(_CONNECT_TIMEOUT, settings.timeout)),
                limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
                follow_redirects=False,
                verify=verify,
                transport=transport,
                # Without the proxies of the environment: no proxy may see a request to this machine.
                trust_env=not is_loopback(self._base),
            )
            deadline.install(self._http)
        except (ValueError, ImportError, httpx.InvalidURL):
            # The error text may quote the proxy's address, including a password.
            raise ConfigError("The proxy that HTTPS_PROXY or ALL_PROXY names cannot be used.") from None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Response:
        """Wait for a slot, send one request and return the answer, whatever its status.

        TransientError means no answer, but a retry may help; Unreachable, that it is unlikely to. TooLarge means an
        answer above the size limit, SourceError an untrusted certificate. ConfigError means an unusable address,
        InvalidPath a path that no URL can hold.
        """
        try:
            with self._throttle.slot(_kind(path, params)) as slot:
                return self._answer(slot, path, params)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as error:
            # The error text may quote headers, including the token.
            kind = InvalidPath if isinstance(error, UnicodeEncodeError) and error.encoding == "utf-8" else ConfigError
            raise kind(f"Cannot request {path} from {self._base}: check both for invalid characters.") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise self._failure(path, error) from error

    def _answer(self, slot: Slot, path: str, params: Sequence[tuple[str, str]]) -> Response:
        self._count(requests=1)
        try:
            with (
                deadline.request_deadline(self._deadline),
                self._http.stream("GET", self._base + path, params=list(params)) as response,
            ):
                self._reached = True
                if len(self._http.cookies.jar) > _MAX_COOKIES:
                    self._http.cookies.clear()
                slot.record_answer(response.status_code)
                limit = self._page_limit if dict(params).get("limit", "1") != "1" else SINGLE_RECORD_LIMIT
                return Response(path, response.status_code, response.headers, self._body(path, response, limit))
        except httpx.TimeoutException:
            slot.timed_out = True
            raise

    def _body(self, path: str, response: httpx.Response, limit: SizeLimit) -> bytearray:
        """Read the body in chunks and decompress it, within the limits on its size and on the memory of its JSON."""
        body, size = bytearray(), 0  # no list of chunks, which would take the memory twice when they are joined
        try:
            for chunk in _unpacked(response):
                body += chunk
                size = max(len(body), response.num_bytes_downloaded)
                if size > limit.body:
                    break
            if size > limit.body or memory_of(body) > limit.memory:
                body = bytearray()  # an error that is kept keeps this frame, too
                raise TooLarge(f"{path} answered {limit.exceeded_message}")
            return body
        finally:
            self._count(received=response.num_bytes_downloaded)

    def _failure(self, path: str, error: httpx.HTTPError) -> Exception:
        """The error to raise for a failed request."""
        distrust = cause_of(error, ssl.SSLCertVerificationError)
        if distrust is not None:
            return SourceError(
                f"The certificate of {self._base} is not trusted ({distrust.verify_message}): "
                f"name the file of the CA that signed it in {name_of('ca_bundle')}."
            )
        if not self._reached and (explained := explain(error, self._base)):
            return explained
        words = next(words for kind, words in _IN_WORDS if isinstance(error, kind))
        detail = redact_excerpt(re.sub(r"\[Errno -?\d+\] ", "", str(error)), self._secret)
        if "WRONG_VERSION_NUMBER" in detail:
            detail = "it does not speak https; write http:// if that is meant"
        return TransientError(f"{self._base}{path}: {words}" + (f" ({detail})" if detail else ""))

    def _count(self, requests: int = 0, received: int = 0) -> None:
        with self._lock:
            self.requests += requests
            self.bytes_received += received


def _kind(path: str, params: Sequence[tuple[str, str]]) -> Hashable:
    """List and page size: such requests take similar times. None for single records."""
    size = dict(params).get("limit")
    return size and (path, size)


def _unpacked(response: httpx.Response) -> Iterator[bytes]:
    """Yield the decompressed body in chunks of limited size, which may be empty.

    Raises httpx.DecodingError. httpx would decompress each chunk at once, and in as many layers as the server names: a
    kilobyte compressed twice may hold a gigabyte. A body in an encoding that we did not request stays compressed, and
    so is not JSON.
    """
    if response.headers.get("content-encoding", "").strip().lower() not in {"gzip", "x-gzip"}:
        yield from response.iter_raw()
        return
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for packed in response.iter_raw():
            yield unpacker.decompress(packed, _PIECE)
            while rest := unpacker.unconsumed_tail or unpacker.unused_data:
                if unpacker.eof:  # another gzip member follows
                    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
                yield unpacker.decompress(rest, _PIECE)
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from error
    if response.num_bytes_downloaded and not unpacker.eof:
        raise httpx.DecodingError("it ends too early")


def _trust(settings: Settings) -> ssl.SSLContext:
    """The certificates to trust: those in the configured CA file, else httpx's default."""
    file = settings.ca_file()
    if file is None and (url := settings.base_url()).startswith("http:") and is_loopback(url):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts none, and is never used: loading the default is slow
    try:
        return ssl.create_default_context(cafile=file) if file else httpx.create_ssl_context()
    except OSError as error:
        named = file or "named by SSL_CERT_FILE or SSL_CERT_DIR"
        reason = "it holds no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigError(f"Cannot read the CA file {named}: {reason}.") from None
