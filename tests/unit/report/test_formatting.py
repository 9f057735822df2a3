import math
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.report import formatting


class Html(HTMLParser):
    """The tags and the text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags = list[tuple[str, tuple[tuple[str, str | None], ...]]]()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def visible(text: str) -> str:
    return str(formatting.visible(text, str))


@given(st.text(max_size=160))
def test_any_text_is_isolated_and_adds_no_element(text: str) -> None:
    parsed = Html(visible(text))
    assert parsed.tags[0] == ("bdi", ())
    assert set(parsed.tags[1:]) <= {("i", ())}


@given(st.text(max_size=160))
def test_visible_shows_unprintable_characters_by_code_point(text: str) -> None:
    expected = "".join(each if each.isprintable() else f"U+{ord(each):04X}" for each in text)
    assert Html(visible(text)).text.replace(" U+", "U+") == expected.replace(" U+", "U+")


@given(st.text())
def test_visible_returns_no_control_or_format_character(text: str) -> None:
    assert {unicodedata.category(each) for each in visible(text)} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()


def test_visible_shows_a_direction_override() -> None:
    assert visible("invoice\u202egnp.exe") == (
        "<bdi>invoice<i>U+202E</i>gnp.exe</bdi>"
    )  # fmt: skip


def test_visible_groups_adjacent_unprintable_characters() -> None:
    assert visible("\u202e\u2066x\x00") == "<bdi><i>U+202E U+2066</i>x<i>U+0000</i></bdi>"


def test_markup_is_text() -> None:
    assert visible("<script>alert('&')</script>") == (
        "<bdi>&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;</bdi>"
    )  # fmt: skip


def test_a_very_long_text_is_truncated_and_shows_its_length() -> None:
    long = visible("é" * 300_000)
    assert long == f'<bdi>{"é" * 160}</bdi> <span class="quiet">… 300,000 characters</span>'


def test_a_secret_is_redacted_before_the_text_is_truncated() -> None:
    assert "s3cret" not in formatting.visible("x" * 157 + "s3cret", lambda text: text.replace("s3cret", "***"))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (1_234_567, "1,234,567"),
        (-12, "−12"),
        (0.93, "0.93"),
        (0.123456, "0.1235"),
        (-0.5, "−0.5"),
        (12.0, "12"),
        (1.5e9, "1.5e+09"),
        (-1.5e-9, "−1.5e−09"),
    ],
)
def test_number_has_four_significant_digits(value: float, written: str) -> None:
    assert formatting.number(value) == written


@given(st.floats(-1e300, 1e300))
def test_any_finite_number_can_be_written(value: float) -> None:
    parsed = float(formatting.number(value).replace("−", "-").replace(",", ""))
    assert math.isclose(parsed, value, rel_tol=1e-3, abs_tol=0)


def test_a_change_in_percent_has_its_sign() -> None:
    visible = [formatting.signed_percent(value) for value in (2.5, -0.04, 33.4, -1234.5, math.inf)]
    assert visible == ["+2.5%", "−0.0%", "+33%", "−1,234%", "+inf%"]


def test_only_zero_is_0_percent_and_only_the_whole_is_100_percent() -> None:
    visible = [formatting.percent(part, 1000) for part in (0, 1, 10, 500, 999, 1000)]
    assert visible == ["0%", "<1%", "1%", "50%", "99%", "100%"]
    assert formatting.percent(0, 0) == "–"


def test_a_size_with_unknown_parts_is_a_lower_bound() -> None:
    assert formatting.size_at_least(3_100_000_000, 40) == "≥ 3.1 GB"
    assert (formatting.size_at_least(None, 2), formatting.size_at_least(0, 0)) == ("unknown", "0 bytes")


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (None, "unknown"),
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1500, "1.5 kB"),
        (250_000_000, "250 MB"),
        (2_840_000_000_000, "2.8 TB"),
        (3 * 10**15, "3.0 PB"),
    ],
)
def test_a_size_has_its_unit(count: int | None, written: str) -> None:
    assert formatting.size(count) == written


def test_times_are_in_utc() -> None:
    assert formatting.day(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01"
    at = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    assert (formatting.moment(at), formatting.day(at)) == ("2025-12-31 19:45", "2025-12-31")
    assert formatting.moment(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01 00:00"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-1, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 minute"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (172_799, "47 hours"),
        (172_800, "2 days"),
    ],
)
def test_span_uses_its_largest_unit(seconds: float, written: str) -> None:
    assert formatting.span(seconds) == written


def test_a_noun_follows_its_count() -> None:
    assert [formatting.plural(count, "model") for count in (0, 1, 2000)] == ["0 models", "1 model", "2,000 models"]
