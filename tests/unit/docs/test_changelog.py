"""The version of the package and the changelog agree."""

import re
from datetime import date

import etl
from tests.support.paths import ROOT

_RELEASE = re.compile(r"^## \[(\d[^]]*)\] - (\S+)$", re.MULTILINE)


def test_the_newest_dated_release_is_the_version_of_the_package() -> None:
    newest, day = _RELEASE.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))[0]
    assert newest == etl.__version__
    assert date.fromisoformat(day).isoformat() == day
