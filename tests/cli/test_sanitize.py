import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.cli.console import console
from etl.cli.sanitize import sanitize


@pytest.mark.parametrize(
    ("written", "safe"),
    [
        (None, ""),
        (7, "7"),
        ("Größe, 模型, ok", "Größe, 模型, ok"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31mred", r"\x9b31mred"),
        ("one\r\ntwo\ttabs\x00", r"one\r\ntwo\ttabs\x00"),
        ("bell\a, back\b", r"bell\x07, back\x08"),
        ("user\u202egnp.exe", r"user\u202egnp.exe"),
        ("\u2066isolated\u2069, \u200bnothing", r"\u2066isolated\u2069, \u200bnothing"),
        ("half \ud83d", r"half \ud83d"),
    ],
)
def test_what_does_not_print_is_escaped_and_the_rest_is_left(written: object, safe: str) -> None:
    assert sanitize(written) == safe


@given(st.text(st.characters(codec=None)))
def test_whatever_was_written_what_is_shown_prints_and_stays_on_its_line(written: str) -> None:
    assert sanitize(written).isprintable()


def test_markup_and_names_of_emoji_are_shown_as_they_were_written(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[red]not red[/red] :warning: [link=https://evil.example]x[/link]")
    assert capsys.readouterr().out == "[red]not red[/red] :warning: [link=https://evil.example]x[/link]\n"


def test_a_pipe_is_as_wide_every_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    console().print("word " * 40)
    assert max(map(len, re.split(r"\n", capsys.readouterr().out))) > 90
