import pytest

from etl.explore.ranges import range_overlap, version_matches


def test_version_is_matched_as_pip_does() -> None:
    matches = [("2.5.1", "<2.6"), ("2.10", "<2.6"), ("2.6rc1", "<2.6"), ("2.5", ""), ("what", "<2"), (None, "<2")]
    assert [version_matches(*each) for each in matches] == [1, 0, 0, 1, None, None]


@pytest.mark.parametrize(
    ("specifier", "below", "from_it"),
    [
        ("==2.5.1", "yes", "no"),
        ("==2.6.0rc1", "yes", "no"),
        ("==2.6.0+cu118", "no", "yes"),
        ("===2.6", "no", "yes"),
        (">=2.6", "no", "yes"),
        ("<=2.6", "perhaps", "perhaps"),
        (">=2.0,<2.5", "yes", "no"),
        (">2.5.9", "perhaps", "perhaps"),
        ("==2.5.*", "yes", "no"),
        ("~=2.4", "perhaps", "perhaps"),
        ("~=2.4.1", "yes", "no"),
        ("!=2.5", "perhaps", "perhaps"),
        ("", "perhaps", "perhaps"),
        (None, "perhaps", "perhaps"),
        ("what", "perhaps", "perhaps"),
        ("==" + "9" * 5000, "perhaps", "perhaps"),
        ("<1,>2", "perhaps", "perhaps"),
        ("==1!1.0", "no", "yes"),
    ],
)
def test_a_requirement_overlaps_a_range_or_not_or_perhaps(specifier: str | None, below: str, from_it: str) -> None:
    assert (range_overlap(specifier, "<2.6"), range_overlap(specifier, ">=2.6")) == (below, from_it)
    assert range_overlap(specifier, "") == "yes"
