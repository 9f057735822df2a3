"""Find secrets: passwords and keys in URLs, and a secret in text, in each encoding in which it may occur."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, quote, quote_plus, unquote

PASSWORD_PARAMETERS = ("password", "sslpassword")
"""Parameters of a database URL's query that are passwords."""

# As SQLAlchemy parses a URL. SQLAlchemy is slow to import, and secrets must be known before the first output.
_URL = re.compile(r"[\w+]+://(?:[^:/]*:(?P<password>[^@]*)@)?[^?]*(?:\?(?P<query>.*))?")
_WEBHOOK = re.compile(r"\w+://(?:(?P<user>[^/?#]*)@)?[^/?#]*/*(?P<rest>.*)")
_MIN_WEBHOOK_SECRET = 9  # shorter paths, such as hook or api/v1, are not secret and occur in many texts
_MAX_WORD = 12
_MIN_BASE64_SECRET = 6  # without its ends, the encoding of a shorter one occurs in many texts


def passwords_of(database_url: str) -> list[str]:
    """The passwords in a database URL; none if it is not a URL."""
    if not (parts := _URL.match(database_url)):
        return []
    before_host = [unquote(parts["password"])] if parts["password"] else []
    return before_host + [value for name, value in parse_qsl(parts["query"] or "") if name in PASSWORD_PARAMETERS]


def secrets_of_webhook(url: str | None) -> list[str]:
    """The secrets in a webhook's URL: everything before and after its host."""
    if not (parts := _WEBHOOK.match(url or "")):
        return []
    return [unquote(each) for each in (parts["user"], parts["rest"]) if each and len(each) >= _MIN_WEBHOOK_SECRET]


@lru_cache
def secret_pattern(*secrets: str) -> re.Pattern[str]:
    """A pattern that finds the secrets in text, in any encoding and case. It ignores empty secrets.

    A secret that may be a common word, such as `postgres`, matches as a whole word only, to leave other text intact.
    """
    words = {each for each in secrets if each.isalpha() and len(each) <= _MAX_WORD}
    others = {encoded for each in {*secrets} - words for encoded in _encodings(each)}
    return re.compile(rf"(?i:{_any(others)})|\b(?:{_any(words)})\b")


def _any(texts: Iterable[str]) -> str:
    """A pattern for the longest text that matches; without texts, one that never matches."""
    return "|".join(re.escape(each) for each in sorted(texts, key=len, reverse=True) if each) or r"(?!)"


def _encodings(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, errors="surrogatepass")
    yield quote(secret, safe="", errors="surrogatepass")
    yield quote_plus(secret, errors="surrogatepass")
    yield html.escape(secret)
    yield repr(secret)[1:-1]
    for ascii_only in (True, False):
        within_json = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield from (within_json, within_json.replace("/", r"\/"))
    if len(secret) >= _MIN_BASE64_SECRET:
        yield from _within_base64(secret.encode(errors="surrogatepass"))


def _within_base64(secret: bytes) -> Iterator[str]:
    """The base64 of the secret within a longer text, at each of the three possible offsets."""
    for before in range(3):
        group = base64.b64encode(bytes(before) + secret).decode()
        # Only the characters, of six bits each, that depend on no neighbouring byte.
        certain = group[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield from (certain, certain.translate(str.maketrans("+/", "-_")))
