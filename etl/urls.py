"""Check URLs of settings, and detect which hosts are this machine."""

import ipaddress
import re
import string
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from etl.errors import ConfigError
from etl.setting_names import name_of

_API_PREFIX = re.compile(r"/api/(ml|svc)/v1$")

MODEL_FIELDS = ("model", "model_id", "ml_repo", "ml_repo_id")
"""The fields of a template of the URL of a model's page."""


def checked_url(host: str, *, allow_insecure_http: bool) -> str:
    """The URL of a control plane, in one form for all spellings of its host. ConfigError if it is invalid."""
    url = host.strip().rstrip("/")
    if "://" not in url:
        url = f"https://{url}"
    # These checks come first and quote nothing, because such a URL may contain secrets.
    if "@" in url:
        raise ConfigError(f"The host must not contain a user or password: set the token in {name_of('api_key')}.")
    if "?" in url or "#" in url:
        raise ConfigError("The host must not contain a query or fragment: remove everything after the path.")
    parts = _split(url)
    # A typing error such as `http:/plane.example` leaves a colon at the end.
    if parts is None or parts.netloc.endswith(":"):
        raise ConfigError(f"{host!r} is not a valid URL: use the form https://your-control-plane.example.")
    if doubled := _API_PREFIX.search(url):
        raise ConfigError(
            f"Remove {doubled[0]} from {name_of('host')}: the API path is detected, or set by {name_of('api_prefix')}."
        )
    if parts.scheme == "http" and not allow_insecure_http and not is_loopback(url):
        raise ConfigError(
            f"Plain HTTP to {parts.hostname} would send the token unencrypted: use https, or allow it with "
            f"{name_of('allow_insecure_http')}."
        )
    default_port = {"https": ":443", "http": ":80"}[parts.scheme]
    return parts._replace(netloc=parts.netloc.lower().removesuffix(default_port)).geturl()


def checked_webhook_url(url: str, *, allow_insecure_http: bool) -> str:
    """The URL of a webhook. ConfigError if it is invalid, without the URL, which may be a secret."""
    parts = _split(url)
    if parts is None:
        raise ConfigError(f"{name_of('notify_url')} is not a valid URL: use the form https://your-chat.example/hook.")
    if parts.scheme == "http" and not allow_insecure_http and not is_loopback(url):
        raise ConfigError(
            f"Plain HTTP to {parts.hostname} would send the message unencrypted: use https in "
            f"{name_of('notify_url')}, or allow it with {name_of('allow_insecure_http')}."
        )
    return url


def checked_model_url(template: str) -> str:
    """The template of the URL of a model's page. ConfigError unless it is an HTTP URL with known fields in its path."""
    parts = _split(template)
    if parts is None or "{" in parts.netloc or "@" in parts.netloc:
        raise ConfigError(
            f"{name_of('model_url')} is not a valid URL: use the form https://your-control-plane.example/{{model_id}}."
        )
    try:
        fields = [
            (name, form, convert) for _, name, form, convert in string.Formatter().parse(template) if name is not None
        ]
    except ValueError as error:
        raise ConfigError(f"{name_of('model_url')} is not a valid template: {error}.") from error
    if not fields or any(name not in MODEL_FIELDS or form or convert for name, form, convert in fields):
        names = ", ".join(f"{{{name}}}" for name in MODEL_FIELDS)
        raise ConfigError(f"{name_of('model_url')} must contain one of these fields, and no others: {names}.")
    return template


def with_schema(url: str, schema: str | None) -> str:
    """Add the schema to a URL, in the form of libpq's `options`."""
    if not schema:
        return url
    if not url.startswith("postgres"):
        raise ConfigError(
            f"{name_of('schema')} needs a PostgreSQL database: remove it, or change {name_of('database_url')}."
        )
    before, _, query = url.partition("?")
    if any(name == "options" for name, _ in parse_qsl(query)):
        raise ConfigError(f"{name_of('database_url')} has options already: set the search path there, or remove them.")
    identifier = '"{}"'.format(schema.replace('"', '""'))
    option = "-csearch_path=" + re.sub(r"([\\ ])", r"\\\1", identifier)
    return f"{before}?{query}{'&' if query else ''}options={quote(option, safe='')}"


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine: then plain HTTP is safe, and no proxy may see the request."""
    name = urlsplit(url).hostname or ""
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_one_word(text: str) -> bool:
    """Whether the text has only printable characters, and no space."""
    return text.isprintable() and " " not in text


def _split(url: str) -> SplitResult | None:
    """The parts of an HTTP URL; None if it is not one."""
    try:
        parts = urlsplit(url)
        name, _port = parts.hostname, parts.port
    except ValueError:
        return None
    return parts if name and parts.scheme in {"http", "https"} and is_one_word(url) else None
