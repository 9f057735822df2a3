"""The output that the docs show."""

import re

from tests.support.paths import ROOT


def test_output_in_the_docs_has_no_absolute_path() -> None:
    files = sorted((ROOT / "docs" / "pictures").glob("*.txt"))
    assert files
    absolute = re.compile(r"(?<![\w.:/])/(?:\w+/)+")
    assert [(each.name, found) for each in files for found in absolute.findall(each.read_text(encoding="utf-8"))] == []
