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
def test_unprintable_characters_are_escaped_and_others_kept(written: object, safe: str) -> None:
    assert sanitize(written) == safe


@given(st.text(st.characters(codec=None)))
def test_sanitized_text_is_printable_and_has_one_line(written: str) -> None:
    assert sanitize(written).isprintable()


def test_markup_and_emoji_names_are_printed_literally(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[red]not red[/red] :warning: [link=https://evil.example]x[/link]")
    assert capsys.readouterr().out == "[red]not red[/red] :warning: [link=https://evil.example]x[/link]\n"


def test_a_pipe_has_a_fixed_width(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    console().print("word " * 40)
    assert max(map(len, re.split(r"\n", capsys.readouterr().out))) > 90
