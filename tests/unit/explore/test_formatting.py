from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from etl.explore import formatting


def test_moment_is_to_the_minute_and_exact_in_its_title() -> None:
    shown = (
        '<time datetime="2026-05-01T12:30:07.123456Z" title="2026-05-01 12:30:07.123456 UTC">2026-05-01 12:30</time>'
    )
    assert formatting.moment("2026-05-01 12:30:07.123456") == shown
    assert formatting.moment(datetime(2026, 5, 1, 12, 30, 7, 123456, UTC)) == shown


@pytest.mark.parametrize("value", [None, "", "soon", "2026-02-31 12:30:07.123456", "2026-05-01 12:30", 7])
def test_a_value_that_is_not_a_stored_time_is_not_formatted(value: object) -> None:
    assert formatting.moment(value) is None


def test_flags_sizes_numbers_shares_and_durations_are_words_and_units() -> None:
    assert [formatting.flag(each) for each in (1, 0, True, None, 2, "1")] == ["yes", "no", "yes", None, None, None]
    sizes = [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (3_100_000_000, "3.1 GB"), (2**62, "4611.7 PB")]
    for number, shown in sizes:
        assert formatting.size(number) == f'<span title="{number:,} bytes">{shown}</span>'
    assert formatting.size(None) is None
    assert formatting.real(0.5) == "0.5"
    assert formatting.real(0.123456789) == '<span title="0.123456789">0.123457</span>'
    assert formatting.real(float("nan")) == '<span title="nan">nan</span>'
    assert formatting.share(-0.311) == '<span title="-0.311">−31.1 %</span>'
    assert formatting.share(12) == '<span title="12">+1,200.0 %</span>'
    spans = [(0, "0 seconds"), (61.5, "1 minute 2 seconds"), (7_200, "2 hours"), (-86_400 * 40, "−40 days")]
    for seconds, shown in spans:
        assert f">{shown}<" in str(formatting.duration(seconds))


def test_sparkline_is_a_line_within_its_box_for_any_values() -> None:
    assert formatting.sparkline([]) == formatting.sparkline([1.0]) == ""
    for values in ([1.0, 2.0, 0.5], [3.0, 3.0], [1e308, -1e308, 0.0], [5e-324, 0.0]):
        svg = ET.fromstring(str(formatting.sparkline(values)))
        points = [tuple(map(float, point.split(","))) for point in svg[0].attrib["points"].split()]
        assert len(points) == len(values)
        assert all(0 <= x <= 120 and 0 <= y <= 28 for x, y in points)
        highest, lowest = values.index(max(values)), values.index(min(values))
        assert points[highest][1] <= points[lowest][1]
        assert svg.attrib["aria-hidden"] == "true"


def test_invisible_and_unencodable_characters_are_escaped() -> None:
    assert formatting.printable("plain ü") == "plain ü"
    assert formatting.printable("a\u202eb\0") == "a\\u202eb\\x00"
    assert formatting.encodable("a\0b\ud800") == "a␛0000b␛D800"
    assert isinstance(formatting.encodable(Markup("<b>\0</b>")), Markup)
    assert formatting.encodable(7) == 7
