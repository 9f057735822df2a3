"""The built docs site has no broken links and requests nothing from other hosts."""

import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from tests.support.browser import Window, chromium
from tests.support.paths import ROOT

PAGES = sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
BROWSER_PAGES = [
    page for page in PAGES if page == "index.md" or "```mermaid" in (ROOT / "docs" / page).read_text("utf-8")
]
"""The pages to open in a browser, because scripts draw parts of them; other tests check every page."""

CHECKS = run_path(str(ROOT / "tools" / "docs" / "check_site.py"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    built = subprocess.run(
        [str(Path(sys.executable).with_name("zensical")), "build", "--clean", "--strict"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tools" / "docs")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    CHECKS["copy_linked_files"](folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The URL at which the site is served."""
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def window(browser: Any, address: str) -> Iterator[Window]:
    """An empty page; a request to another host or a browser error fails the test."""
    with Window.of(browser, address) as window:
        yield window


def page_path(page: str) -> str:
    """The address of a page of docs/, within the site."""
    folder = re.sub(r"(^|/)(index|README)\.md$", r"\1", page).removesuffix(".md")
    return folder if folder.endswith("/") or not folder else f"{folder}/"


def navigation_pages(nav: Any) -> Iterator[str]:
    for each in nav:
        if isinstance(each, str):
            yield each
        else:
            for value in each.values():
                yield from navigation_pages([value] if isinstance(value, str) else value)


def test_every_page_of_docs_is_in_the_navigation() -> None:
    config = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    assert sorted(navigation_pages(config["project"]["nav"])) == PAGES


def test_no_link_is_broken_and_nothing_is_fetched_from_another_host(site: Path) -> None:
    assert list(CHECKS["problems"](site)) == []


def test_linked_files_outside_of_docs_are_copied_into_the_site(site: Path) -> None:
    page = site / "explanation" / "performance" / "index.html"
    (address,) = re.findall(r'href="([^"]*mock_server\.py)"', page.read_text(encoding="utf-8"))
    assert (page.parent / address).read_text() == (ROOT / "bench" / "mock_server.py").read_text()


def test_broken_links_and_foreign_requests_are_reported(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "there.html").write_text('<h1 id="a">A</h1>')
    (tmp_path / "style.css").write_text("@import url('https://fonts.example/f.css'); a {background: url(data:x)}")
    links = ('a href="there.html#a"', 'a href="#"', 'a href="https://else.example"', 'img src="data:image/png,x"')
    broken = (
        'a href="there.html#b"', 'a href="gone.html"', 'a href="folder"', 'a href="../outside.html"', 'a href="#b"',
        'img src="https://else.example/x.png"', 'script src="//cdn.example/x.js"',
    )  # fmt: skip
    (tmp_path / "page.html").write_text("".join(f"<{link}>x" for link in (*links, *broken)))
    assert list(CHECKS["problems"](tmp_path)) == [
        "page.html: there.html#b has no such anchor",
        "page.html: gone.html does not exist",
        "page.html: folder does not exist",
        "page.html: ../outside.html does not exist",
        "page.html: #b has no such anchor",
        "page.html: https://else.example/x.png would be fetched from another host",
        "page.html: //cdn.example/x.js would be fetched from another host",
        "style.css: https://fonts.example/f.css would be fetched from another host",
    ]


@pytest.mark.parametrize("file", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_in_the_top_level_files_lead_to_existing_files(file: str) -> None:
    links = re.findall(r'(?:\]\(|src="|srcset=")([^)"#]+)', (ROOT / file).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", BROWSER_PAGES)
def test_a_page_opens_without_browser_errors(page: str, window: Window, address: str) -> None:
    window.go(f"{address}/{page_path(page)}")
    assert len(window.text("h1")) == 1
    source = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert window.page.locator("article svg[aria-roledescription]").count() == source.count("```mermaid")
    assert window.page.locator("pre.mermaid").count() == 0


def test_the_search_finds_a_page(window: Window, address: str) -> None:
    window.go(address)
    window.page.wait_for_load_state("networkidle")  # until then no key opens the search
    window.page.keyboard.press("/")
    window.page.keyboard.type("anchored")
    window.page.get_by_role("link", name="Completeness proof").last.wait_for()
    window.page.locator("a[href*='completeness']", has_text="anchor").first.wait_for()
