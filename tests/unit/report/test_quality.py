from dataclasses import replace

from etl.report import quality
from etl.report.data import REQUIRED_PROPERTIES
from etl.store.queries.report import TopRows
from tests.unit.report.builders import NONE, a_mix, a_model, a_version, production, report_data
from tests.unit.report.builders import quality as quality_data

DEFAULT = report_data()


def test_documentation_is_a_share_of_all_models() -> None:
    lacking = dict.fromkeys(REQUIRED_PROPERTIES, NONE) | {"tags": TopRows([], 3)}
    data = report_data(counts=DEFAULT.counts | {"models": 4}, quality=quality_data(lacking=lacking))
    assert [(each.name, each.part, each.whole, each.width) for each in quality.documentation(data)] == [
        ("have a description", 4, 4, 100.0),
        ("have a tag", 1, 4, 25.0),
        ("have a creator", 4, 4, 100.0),
        ("have a version", 4, 4, 100.0),
    ]


def test_python_versions_in_production_are_counted_separately() -> None:
    versions = [
        a_version(1, python_version="3.10.2"),
        a_version(2, python_version="3.12"),
        a_version(3, python_version=""),
    ]
    makeup = replace(DEFAULT.makeup, pythons=[a_mix("3.12", 6), a_mix("3.10", 3), a_mix(None, 1), a_mix("3.9", 1)])
    found = quality.pythons(report_data(makeup=makeup, production=production(a_model(*versions))))
    assert [(each.name, each.is_bad, each.production.part, each.rest.part, each.rest.whole) for each in found] == [
        ("3.12", False, 1, 5, 9),
        ("3.10", True, 1, 2, 9),
        ("3.9", True, 0, 1, 9),
        (None, False, 0, 1, 9),
    ]


def test_packages_show_the_versions_that_are_required_most() -> None:
    specifiers = [{"name": "torch", "specifier": text, "versions": 9 - index}
                  for index, text in enumerate(("==2.4.0", "==2.3.1", "", "<3", ">1"))]  # fmt: skip
    makeup = replace(DEFAULT.makeup, packages=TopRows([a_mix("torch", 30)], 1), specifiers=specifiers)
    (torch,) = quality.packages(report_data(makeup=makeup, counts=DEFAULT.counts | {"models": 4}))
    assert (torch.share.name, torch.share.part, torch.share.whole, torch.versions) == ("torch", 1, 4, 30)
    assert torch.specifiers == [("==2.4.0", 9), ("==2.3.1", 8), ("any", 7)]
    assert torch.others == 2


def test_shares_are_of_the_whole_and_count_the_rows_not_shown() -> None:
    found = quality.shares([a_mix(f"framework-{index}", index + 1) for index in range(20)], 210)
    assert (found.rows[0].name, found.rows[0].part, found.rows[0].width) == ("framework-19", 20, 9.5)
    assert (found.left_out, found.versions_left_out) == (8, 36)
    assert quality.shares([a_mix("one")], 2)[1:] == (0, 0)


def test_creators_are_shares_of_production_versions_and_metadata_keys_of_latest_versions() -> None:
    versions = [a_version(1, created_by="Ada"), a_version(2, created_by="Ada"), a_version(3, created_by=None)]
    makeup = replace(DEFAULT.makeup, metadata_keys=TopRows([a_mix("team", 3)], 5))
    lacking = dict.fromkeys(REQUIRED_PROPERTIES, NONE) | {"versions": TopRows([], 2)}
    counts = DEFAULT.counts | {"models": 6}
    data = report_data(
        makeup=makeup, production=production(a_model(*versions)), quality=quality_data(lacking=lacking), counts=counts
    )
    assert quality.creators(data) == ([("Ada", 2, 3), (None, 1, 3)], 0, 0)
    assert quality.metadata_keys(data) == ([("team", 3, 4)], 4, 0)
