"""What the docs site needs beside its generator: diagrams that are drawn already, and a look at what was built.

`python docs/site_parts.py site` makes the built site whole, and says what is broken in it.
"""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import mmdr

ROOT = Path(__file__).parents[1]

# What a browser asks for by itself, wherever it stands.
_FETCHED = {"audio", "embed", "iframe", "img", "link", "object", "script", "source", "video"}


def diagram(source: str, *_: Any, **__: Any) -> str:
    """A Mermaid diagram as a picture, so that no page has to fetch what draws it."""
    return f'<div style="background: white; overflow-x: auto">{mmdr.Diagram(source).svg()}</div>'


class _Link(NamedTuple):
    tag: str
    address: str


class _Page(HTMLParser):
    """The links of a page, and the names in it that a link may lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[_Link] = []
        self.names = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.names |= {value for value in (given.get("id"), given.get("name")) if value}
        self.links += [_Link(tag, value) for value in (given.get("href"), given.get("src")) if value]


@cache
def _page(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


def bring_files(site: Path) -> None:
    """Copy into the site what its pages link to in the repository, such as a script of the bench."""
    for page in list(site.rglob("*.html")):
        parts = re.split(r'((?<=href=")[^":#]+)', page.read_text(encoding="utf-8"))  # every second one is an address
        parts[1::2] = [_brought(site, page, address) for address in parts[1::2]]
        page.write_text("".join(parts), encoding="utf-8")


def _brought(site: Path, page: Path, address: str) -> str:
    """The address, or that of a copy within the site: docs and site stand side by side."""
    target = (page.parent / unquote(unescape(address))).resolve()
    if target.is_relative_to(site) or not target.is_relative_to(site.parent):
        return address
    wanted = target.relative_to(site.parent)
    if not (ROOT / wanted).is_file():
        return address  # for `broken` to tell
    copy = site / wanted
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / wanted, copy)
    return os.path.relpath(copy, page.parent)


def broken(site: Path) -> Iterator[str]:
    """Every link that leads nowhere, and all that a page would fetch from another host."""
    for path in sorted(site.rglob("*.html")):
        for link in _page(path).links:
            what = _wrong(site, path, link)
            if what:
                yield f"{path.relative_to(site)}: {link.address} {what}"
    for path in sorted(site.rglob("*.css")):
        for address in re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)", path.read_text("utf-8")):
            yield f"{path.relative_to(site)}: {address} would be fetched from another host"


def _wrong(site: Path, path: Path, link: _Link) -> str | None:
    address = urlsplit(link.address)
    if address.scheme or address.netloc:
        # A canonical address or a preconnect is not fetched; none is needed here either.
        return "would be fetched from another host" if link.tag in _FETCHED and address.scheme != "data" else None
    start = site if address.path.startswith("/") else path.parent
    target = (start / unquote(address.path).lstrip("/")).resolve() if address.path else path
    target = target / "index.html" if target.is_dir() else target
    if not (target.is_relative_to(site) and target.is_file()):
        return "is not there"
    if target.suffix == ".html" and unquote(address.fragment) not in _page(target).names:
        return "has no such place"
    return None


def main(folder: str) -> None:
    """Make the site whole; end with what is broken in it."""
    site = Path(folder).resolve()
    bring_files(site)
    sys.exit("\n".join(broken(site)) or 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
