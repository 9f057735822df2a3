import pytest

from etl.records.packages import _parsed, package_rows


@pytest.mark.parametrize(
    ("requirement", "name", "specifier", "pinned"),
    [
        ("Scikit_Learn>=1.4, <2", "scikit-learn", "<2,>=1.4", None),
        ("numpy", "numpy", "", None),
        ("torch[cuda]==2.1.0 ; python_version < '3.12'", "torch", "==2.1.0", "2.1.0"),
        ("torch == 2.1.0+cu118", "torch", "==2.1.0+cu118", "2.1.0+cu118"),
        ("torch>=2,==2.1.0", "torch", "==2.1.0,>=2", "2.1.0"),
        ("torch==2.*", "torch", "==2.*", None),
        ("torch~=2.1", "torch", "~=2.1", None),
        ("tool===odd", "tool", "===odd", "odd"),
        ("tool @ https://example.com/tool.whl", "tool", "", None),
        ("-r requirements.txt", None, None, None),
        ("a; " + "(" * 5000, None, None, None),
        ("", None, None, None),
        pytest.param("n" * 2001, None, "", None, id="a name too long for an index"),
    ],
)
def test_requirement_is_stored_as_written_with_name_specifier_and_pinned_version(
    requirement: str, name: str | None, specifier: str | None, pinned: str | None
) -> None:
    manifest = {"environment": {"pip_packages": [requirement]}}
    assert package_rows("v", manifest) == [("v", 0, requirement, name, specifier, pinned)]


def test_requirement_that_is_not_text_has_no_row_but_keeps_its_position() -> None:
    manifest = {"environment": {"pip_packages": ["numpy", {"name": "torch"}, None, "numpy"]}}
    assert [row.position for row in package_rows("v", manifest)] == [0, 3]


@pytest.mark.parametrize("manifest", [None, [], {}, {"environment": "conda"}, {"environment": {"pip_packages": "x"}}])
def test_environment_of_another_shape_has_no_packages(manifest: object) -> None:
    assert package_rows("v", manifest) == []


def test_long_requirement_is_parsed_and_not_cached() -> None:
    _parsed.cache_clear()
    requirement = f"torch=={'1.' * 500}0"
    (row,) = package_rows("v-1", {"environment": {"pip_packages": [requirement]}})
    assert (row.name, row.pinned_version) == ("torch", requirement.partition("==")[2])
    assert _parsed.cache_info().currsize == 0
