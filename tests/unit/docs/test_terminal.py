"""The terminal emulation from which `make pictures` draws pictures."""

from runpy import run_path
from typing import Any

import pytest

from tests.support.paths import ROOT

TERMINAL = run_path(str(ROOT / "tools" / "docs" / "terminal.py"))


@pytest.fixture
def screen() -> Any:
    return TERMINAL["Screen"]()


def test_a_line_that_is_written_again_replaces_the_line_before(screen: Any) -> None:
    screen.feed("models 1/9\r\nversions 0/9\r\x1b[1A\x1b[2Kmodels 9/9\r\nversions 4/9")
    assert screen.text() == "models 9/9\nversions 4/9"


def test_erased_bars_leave_only_the_result(screen: Any) -> None:
    screen.feed("models 9/9\r\nversions 9/9\r\x1b[2K\x1b[1A\x1b[2K\x1b[?25hUp to date\r\n")
    assert screen.text() == "Up to date"


def test_colours_are_kept_and_drawn(screen: Any) -> None:
    screen.feed("\x1b[32m✔\x1b[0m done\r\n")
    html = TERMINAL["as_html"](screen.text(), TERMINAL["LIGHT"], 20)
    assert "#116329" in html
    assert html.endswith(" done\n")
