"""The output that the docs show."""

import re

from tests.support.paths import ROOT


def test_output_in_the_docs_names_no_path_of_the_machine_that_made_it() -> None:
    shown = sorted((ROOT / "docs" / "pictures").glob("*.txt"))
    assert shown
    absolute = re.compile(r"(?<![\w.:/])/(?:\w+/)+")
    assert [(each.name, found) for each in shown for found in absolute.findall(each.read_text(encoding="utf-8"))] == []
