"""Find secrets: passwords and keys in URLs, and secrets in text, in each encoding in which they may occur.

A password or key is found in its usual encodings. A server may repeat the token in any form, so texts are also searched
for the token after decoding: without escapes, markup, spaces and invisible characters. A text that contains two thirds
of the token in such a form is replaced as a whole. `escape_unprintable` makes a text safe for logs in other ways.
"""

import base64
import html
import json
import re
import string
import unicodedata
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


MASK = "***"

_MIN_TOKEN = 12  # letters and digits; a shorter token, after decoding, occurs in many texts
_LAST_CODE_POINT = 0x10FFFF
_MAX_LAYERS = 4  # of encodings, one within the other
_NOT_ALPHANUMERIC = bytes(set(range(256)) - set(f"{string.ascii_lowercase}{string.digits}".encode()))
_MARKUP = re.compile(r"<[^<>]*>|\x1b\[[\d;]*[A-Za-z]")
_ESCAPE = re.compile(
    r"\\U([\da-fA-F]{8})|(?:\\|%)u([\da-fA-F]{4})|\\u\{([\da-fA-F]{1,6})\}|\\[xX]([\da-fA-F]{2})|\\([0-7]{3})"
)


class Redactor:
    """Replaces secrets in text; `token` also where it is encoded in an unusual way, or not repeated in full."""

    def __init__(self, *secrets: str, token: str | None = None) -> None:
        self._pattern = secret_pattern(*filter(None, (token, *secrets)))
        self._token = _squeeze(token or "")
        # Two thirds of the token may have fewer of its letters and digits.
        self._window = -(-len(self._token) * 3 // 5)
        # Every such part of the token contains its middle.
        self._middle = self._token[len(self._token) - self._window : self._window]
        self._encoded = tuple(_encoded_middle(token or "")) if len(self._token) >= _MIN_TOKEN else ()

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        text = self._pattern.sub(MASK, text)
        return MASK if self._encoded and any(self._repeats(_squeeze(form)) for form in _decoded_forms(text)) else text

    def _repeats(self, squeezed: bytes) -> bool:
        """Whether the text, reduced to letters and digits, contains two thirds of the token."""
        if any(each in squeezed for each in self._encoded):
            return True
        starts = range(len(self._token) - self._window + 1)
        return self._middle in squeezed and any(
            self._token[start : start + self._window] in squeezed for start in starts
        )


def escape_unprintable(text: str) -> str:
    """Escape control characters, changes of the writing direction, and lone surrogates, which UTF-8 cannot encode."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _squeeze(text: str) -> bytes:
    """The letters and digits of the text, in lower case and without accents."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore")
    return ascii_only.lower().translate(None, _NOT_ALPHANUMERIC)


def _encoded_middle(token: str) -> Iterator[bytes]:
    """The middle third of the token in encodings that no escape decodes: hexadecimal, character codes and base64."""
    third = len(token) // 3
    middle = token[third:-third].encode(errors="surrogatepass")
    yield middle.hex().encode()
    for code in ("d", "o"):
        yield "".join(format(each, code) for each in middle).encode()
    yield from map(_squeeze, _within_base64(middle))


def _decoded_forms(text: str) -> Iterator[str]:
    """The text with one more layer of escapes decoded each time, with and without markup."""
    for _ in range(_MAX_LAYERS):
        yield text
        if _MARKUP.search(text):
            yield _MARKUP.sub("", text)
        decoded = _ESCAPE.sub(_unescape, html.unescape(unquote(text)))
        if decoded == text:
            return
        text = decoded


def _unescape(escape: re.Match[str]) -> str:
    digits, octal = next(filter(None, escape.groups())), escape[5] is not None
    code = int(digits, 8 if octal else 16)
    return chr(code) if code <= _LAST_CODE_POINT else ""


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


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, in any encoding and case."""
    return secret_pattern(*secrets).sub(MASK, text)


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
