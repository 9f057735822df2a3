"""Explain why no connection to the control plane could be made, and what to check.

A first request that fails like this is not retried for long, because the host or the port is probably wrong. Later in a
run, the same failure is transient.
"""

import re
import socket
import ssl
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from etl.errors import ConfigError
from etl.setting_names import name_of
from etl.source.exceptions import Unreachable
from etl.urls import is_loopback

_PLACEHOLDER = re.compile(r"(^|\.)(example|invalid|example\.(com|org|net))$")  # as RFC 2606 reserves them
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_PORTS = {"http": 80, "https": 443}

_Cause = TypeVar("_Cause", bound=BaseException)


def explain(error: BaseException, base_url: str) -> Exception | None:
    """The error to raise for a first request without a connection; None if there is no clear cause."""
    parts = urlsplit(base_url)
    name, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    unknown, refused = cause_of(error, socket.gaierror), cause_of(error, ConnectionRefusedError)
    if unknown is not None and _PLACEHOLDER.search(name):
        return ConfigError(f"{base_url} is only an example: set {name_of('host')} to the URL of your control plane.")
    if (unknown or refused) and not is_loopback(base_url) and _is_proxied(parts.scheme, parts.netloc):
        return Unreachable(
            "The proxy cannot be reached: check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or add the host to NO_PROXY"
        )
    if unknown is not None:
        return Unreachable(f"The host {name} is unknown ({unknown.strerror}): check the name in {name_of('host')}")
    if refused is not None:
        return Unreachable(
            f"Nothing listens on port {port} of {name} (connection refused): check the port and the scheme in "
            f"{name_of('host')}, and that the control plane is up"
        )
    tls = cause_of(error, ssl.SSLError)
    if tls is not None and tls.reason in _NOT_TLS:
        return ConfigError(
            f"{parts.netloc} answers, but not in https: check the port, or set {name_of('host')} to "
            f"http://{parts.netloc} if plain HTTP is right."
        )
    return None


def cause_of(error: BaseException, kind: type[_Cause]) -> _Cause | None:
    """The first error of this kind among an error and its causes."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kind):
        cause = cause.__cause__ or cause.__context__
    return cause


def _is_proxied(scheme: str, netloc: str) -> bool:
    """Whether httpx sends requests to this address through a proxy of the environment."""
    proxies = getproxies()
    return bool(proxies.get(scheme) or proxies.get("all")) and not proxy_bypass(netloc)
