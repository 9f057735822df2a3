"""Check the URLs of the control plane and of the webhook. Messages never quote a part that may be secret."""

import ipaddress
import re
from urllib.parse import urlsplit

from etl.errors import ConfigError

_API_PREFIX = re.compile(r"/api/(ml|svc)/v1$")


def checked_host(host: str, allow_insecure_http: bool) -> str:  # noqa: FBT001 it is a setting
    """The control plane's URL without a trailing slash, https by default. ConfigError if it is invalid."""
    url = host.strip().rstrip("/")
    if "://" not in url:
        url = f"https://{url}"
    # These checks come first and quote nothing, because such a URL may contain secrets.
    if "@" in url:
        raise ConfigError("The host must not contain a user or password: pass the token in TFY_API_KEY.")
    if "?" in url or "#" in url:
        raise ConfigError("The host must not contain a query or fragment: remove everything after the path.")
    try:
        parts = urlsplit(url)
        name, _port = parts.hostname, parts.port
    except ValueError:
        name = None
    # A typing error such as `http:/plane.example` leaves a colon at the end.
    if not name or parts.scheme not in {"http", "https"} or parts.netloc.endswith(":") or not is_one_word(url):
        raise ConfigError(f"{host!r} is not a valid URL: use the form https://your-control-plane.example.")
    if doubled := _API_PREFIX.search(url):
        raise ConfigError(f"Remove {doubled[0]} from --host: the API path is detected, or set by --api-prefix.")
    if parts.scheme == "http" and not allow_insecure_http and not _is_loopback(name):
        raise ConfigError(
            f"Plain HTTP to {name} would send the token unencrypted: use https, or pass --allow-insecure-http."
        )
    return url


def checked_webhook(url: str, allow_insecure_http: bool) -> str:  # noqa: FBT001 it is a setting
    """The webhook's URL. ConfigError if it is invalid."""
    try:
        parts = urlsplit(url)
        name, _port = parts.hostname, parts.port
    except ValueError:
        name = None
    # The error does not quote the URL, which may be a secret.
    if not name or parts.scheme not in {"http", "https"} or not is_one_word(url):
        raise ConfigError("--notify-url is not a valid URL: use the form https://your-chat.example/hook.")
    if parts.scheme == "http" and not allow_insecure_http and not _is_loopback(name):
        raise ConfigError(
            f"Plain HTTP to {name} would send the message unencrypted: use https in --notify-url, or pass "
            "--allow-insecure-http."
        )
    return url


def is_one_word(text: str) -> bool:
    """Whether the text has neither spaces nor characters that cannot be printed."""
    return text.isprintable() and " " not in text


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
