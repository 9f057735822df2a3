"""A browser, with checks for errors and for foreign requests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.external_tools import require_tool


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield Chromium. A process can run only one at a time."""
    from playwright.sync_api import sync_playwright

    shell = "chromium-headless-shell"  # Debian's package without the window, which takes half the CPU time
    path = shutil.which(shell) or shutil.which("chromium") or require_tool(shell, shell)
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work as root, nor in most containers.
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@dataclass
class Window:
    """A page of a browser, with its errors and requests."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def go(self, url: str) -> None:
        """Open a URL, and wait until it is loaded."""
        assert self.page.goto(url).status == 200, url

    @classmethod
    @contextmanager
    def of(cls, browser: Any, host: str, **options: Any) -> Iterator["Window"]:
        """Yield an empty page; fails at the end on errors or requests to other hosts."""
        page = browser.new_page(**options)
        window = cls(page)
        page.on(
            "console",
            lambda message: window.errors.append(message.text) if message.type in {"error", "warning"} else None,
        )
        page.on("pageerror", lambda error: window.errors.append(str(error)))
        page.on("request", lambda request: window.requests.append(request.url))
        yield window
        page.wait_for_load_state("networkidle")  # for late requests
        page.close()
        ours = (f"{host}/", f"blob:{host}/", "data:")
        assert [each for each in window.requests if not each.startswith(ours)] == []
        assert window.errors == []

    def text(self, selector: str) -> list[str]:
        """Return the text of each element."""
        return [text.strip() for text in self.page.locator(selector).all_inner_texts()]
