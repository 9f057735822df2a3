"""What must not show: passwords and keys in addresses, and a secret in every spelling in which a text may repeat it."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import parse_qsl, quote, quote_plus, unquote

PASSWORD_PARAMETERS = ("password", "sslpassword")
"""Names of passwords in a database URL's query."""

# As SQLAlchemy reads a URL; it takes long to import, and what must not show is to be known before anything is shown.
_URL = re.compile(r"[\w+]+://(?:[^:/]*:(?P<password>[^@]*)@)?[^?]*(?:\?(?P<query>.*))?")
_WEBHOOK = re.compile(r"\w+://(?:(?P<user>[^/?#]*)@)?[^/?#]*/*(?P<rest>.*)")
_SHORTEST_REST = 9  # shorter ones, such as hook or api/v1, are no secrets, and stand in many texts
_LONGEST_WORD = 12
_SHORTEST_IN_BASE64 = 6  # of less, what is left after the ends are cut off stands in many texts


def passwords_of(database_url: str) -> list[str]:
    """The passwords that a database URL holds, if it is one."""
    if not (parts := _URL.match(database_url)):
        return []
    before_host = [unquote(parts["password"])] if parts["password"] else []
    return before_host + [value for name, value in parse_qsl(parts["query"] or "") if name in PASSWORD_PARAMETERS]


def secrets_of_webhook(url: str | None) -> list[str]:
    """What lets anybody post to an address: whatever stands before and behind its host."""
    if not (parts := _WEBHOOK.match(url or "")):
        return []
    return [unquote(each) for each in (parts["user"], parts["rest"]) if each and len(each) >= _SHORTEST_REST]


@lru_cache
def secret_pattern(*secrets: str) -> re.Pattern[str]:
    """Finds the secrets in a text, in any spelling and case. Empty ones are none.

    One that may be a word of everyday, such as `postgres`, is found as a word alone, or much else would be garbled.
    """
    words = {each for each in secrets if each.isalpha() and len(each) <= _LONGEST_WORD}
    others = {spelling for each in {*secrets} - words for spelling in _spellings(each)}
    return re.compile(rf"(?i:{_any(others)})|\b(?:{_any(words)})\b")


def _any(texts: Iterable[str]) -> str:
    """A pattern for the longest of the texts that fits; for no text, one that nothing fits."""
    return "|".join(re.escape(each) for each in sorted(texts, key=len, reverse=True) if each) or r"(?!)"


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, errors="surrogatepass")
    yield quote(secret, safe="", errors="surrogatepass")
    yield quote_plus(secret, errors="surrogatepass")
    yield html.escape(secret)
    yield repr(secret)[1:-1]
    for ascii_only in (True, False):
        within_json = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield from (within_json, within_json.replace("/", r"\/"))
    if len(secret) >= _SHORTEST_IN_BASE64:
        yield from _within_base64(secret.encode(errors="surrogatepass"))


def _within_base64(secret: bytes) -> Iterator[str]:
    """What stands in the base64 of any text that holds the secret, wherever in a group of three bytes it begins."""
    for before in range(3):
        group = base64.b64encode(bytes(before) + secret).decode()
        # The characters that its neighbours have no part in: of six bits each.
        sure = group[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield from (sure, sure.translate(str.maketrans("+/", "-_")))
