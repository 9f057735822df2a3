"""Encodings of a token, as servers may echo it."""

import base64
import html
import json
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus


def _percent(text: str) -> str:
    return "".join(f"%{each:02X}" for each in text.encode())


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "with its scheme": "Bearer {}".format,
    "in capitals": str.upper,
    "in a URL": lambda token: quote(token, safe=""),
    "in a path": quote,
    "in a form": quote_plus,
    "in HTML": html.escape,
    "in JSON": json.dumps,
    "in base64": _base64,
    "in base64 with its scheme": lambda token: _base64(f"Bearer {token}"),
    "in base64 of a URL": lambda token: base64.urlsafe_b64encode(f'{{"token":"{token}"}}'.encode()).decode(),
    "in folded base64": lambda token: "\n".join(textwrap.wrap(_base64(token), 11)),
    "in folded lines": lambda token: "\r\n ".join(textwrap.wrap(token, 7)),
    "in hexadecimal": lambda token: token.encode().hex(),
    "in hexadecimal, upper case and spaced": lambda token: token.encode().hex(" ").upper(),
    "in hexadecimal with colons": lambda token: token.encode().hex(":"),
    "each character percent-encoded": _percent,
    "percent-encoded twice": lambda token: quote(_percent(token), safe=""),
    "percent-encoded three times": lambda token: quote(quote(_percent(token))),
    "percent-encoded as UTF-16": lambda token: "".join(f"%u{ord(each):04x}" for each in token),
    "with \\u": lambda token: "".join(f"\\u{ord(each):04x}" for each in token),
    "with \\u in JSON in JSON": lambda token: json.dumps("".join(f"\\u{ord(each):04x}" for each in token)),
    "with \\u{}": lambda token: "".join(f"\\u{{{ord(each):x}}}" for each in token),
    "with \\x": lambda token: "".join(f"\\x{ord(each):02x}" for each in token),
    "with \\x for every second character": lambda token: "".join(
        f"\\x{ord(each):02x}" if index % 2 else each for index, each in enumerate(token)
    ),
    "with octal escapes": lambda token: "".join(f"\\{ord(each):03o}" for each in token),
    "in decimal entities": lambda token: "".join(f"&#{ord(each)};" for each in token),
    "in hexadecimal entities": lambda token: "".join(f"&#x{ord(each):x};" for each in token),
    "in percent-encoded entities": lambda token: _percent("".join(f"&#{ord(each)};" for each in token)),
    "as a list of codes": lambda token: str(list(token.encode())),
    "spaced": " ".join,
    "separated by NUL": "\0".join,
    "separated by escaped NUL": "\\u0000".join,
    "separated by zero-width spaces": "\u200b".join,
    "separated by entities of zero-width spaces": "&#8203;".join,
    "separated by soft hyphens": "\xad".join,
    "separated by hyphens": "-".join,
    "with markup between its letters": lambda token: "".join(f"<b class='x'>{each}</b>" for each in token),
    "with escaped markup between its letters": "&lt;wbr&gt;".join,
    "with colours between its letters": "\x1b[31m".join,
    "in wide letters": lambda token: "".join(chr(ord(each) + 0xFEE0) for each in token),
    "its first two thirds": lambda token: token[: -(-len(token) * 2 // 3)],
    "its last two thirds": lambda token: token[len(token) // 3 :],
    "two thirds from its middle, spaced": lambda token: " ".join(token[len(token) // 6 : len(token) * 5 // 6 + 1]),
}


def repeated(encoded: str, text: str) -> list[str]:
    """The halves of the encoded token, at any offset, that the text contains."""
    half = len(encoded) // 2
    return [encoded[start : start + half] for start in range(half) if encoded[start : start + half] in text]
