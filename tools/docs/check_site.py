"""Complete the built docs site and check it: linked files, broken links, requests to other hosts.

`python tools/docs/check_site.py site` does this. Zensical calls `draw_diagram` for each Mermaid block.
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

ROOT = Path(__file__).parents[2]

# Elements whose address a browser fetches without a click.
_FETCHED = {"audio", "embed", "iframe", "img", "link", "object", "script", "source", "video"}


def draw_diagram(source: str, *_: Any, **__: Any) -> str:
    """Draw a Mermaid diagram as SVG, so that no page fetches a script for it."""
    import mmdr  # noqa: PLC0415 prints lines at the end of each process that has imported it

    return f'<div style="background: white; overflow-x: auto">{mmdr.Diagram(source).svg()}</div>'


class _Link(NamedTuple):
    tag: str
    address: str


class _Page(HTMLParser):
    """Links of a page, and the names that a link can point to."""

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


def copy_linked_files(site: Path) -> None:
    """Copy the repository files that pages link to, such as a benchmark script, into the site."""
    for page in list(site.rglob("*.html")):
        parts = re.split(r'((?<=href=")[^":#]+)', page.read_text(encoding="utf-8"))  # every second one is an address
        parts[1::2] = [_copied_address(site, page, address) for address in parts[1::2]]
        page.write_text("".join(parts), encoding="utf-8")


def _copied_address(site: Path, page: Path, address: str) -> str:
    """Return the address of a copy within the site, or the address as it is.

    Addresses resolve because docs/ and site/ are in the same folder.
    """
    target = (page.parent / unquote(unescape(address))).resolve()
    if target.is_relative_to(site) or not target.is_relative_to(site.parent):
        return address
    wanted = target.relative_to(site.parent)
    if not (ROOT / wanted).is_file():
        return address  # `problems` reports it
    copy = site / wanted
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / wanted, copy)
    return os.path.relpath(copy, page.parent)


def problems(site: Path) -> Iterator[str]:
    """Yield each broken link, and each address that a page would fetch from another host."""
    for path in sorted(site.rglob("*.html")):
        for link in _page(path).links:
            problem = _problem(site, path, link)
            if problem:
                yield f"{path.relative_to(site)}: {link.address} {problem}"
    for path in sorted(site.rglob("*.css")):
        for address in re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)", path.read_text("utf-8")):
            yield f"{path.relative_to(site)}: {address} would be fetched from another host"


def _problem(site: Path, path: Path, link: _Link) -> str | None:
    address = urlsplit(link.address)
    if address.scheme or address.netloc:
        # Browsers do not fetch canonical addresses or preconnects, but this site needs neither.
        return "would be fetched from another host" if link.tag in _FETCHED and address.scheme != "data" else None
    start = site if address.path.startswith("/") else path.parent
    target = (start / unquote(address.path).lstrip("/")).resolve() if address.path else path
    target = target / "index.html" if target.is_dir() else target
    if not (target.is_relative_to(site) and target.is_file()):
        return "does not exist"
    if target.suffix == ".html" and unquote(address.fragment) not in _page(target).names:
        return "has no such anchor"
    return None


def main(folder: str) -> None:
    """Complete the site in this folder, and exit with its problems, if any."""
    site = Path(folder).resolve()
    copy_linked_files(site)
    sys.exit("\n".join(problems(site)) or 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
