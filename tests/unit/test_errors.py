import inspect
import re

import pytest

from etl import errors
from tests.support.paths import ROOT


def test_the_tree_in_the_docstring_lists_every_error_with_its_exit_code() -> None:
    documented = re.findall(r"^[│ ]*(?:[├└]── )?(\w+)(?: +exit (\d+))?  ", str(errors.__doc__), re.MULTILINE)
    classes = {name for name, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__}
    assert {name for name, _ in documented} == classes
    for name, code in documented:
        assert not code or getattr(errors, name).exit_code == int(code)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.EtlError, 1),
        (errors.ConfigError, 2),
        (errors.TokenRefused, 2),
        (errors.NotAControlPlane, 2),
        (errors.SchemaMismatch, 2),
        (errors.SourceUnavailable, 1),
        (errors.StoreError, 1),
        (errors.LockHeld, 4),
        (errors.DeleteLimitExceeded, 5),
        (errors.Interrupted, 130),
    ],
)
def test_an_error_has_its_message_and_exit_code(error: type[errors.EtlError], code: int) -> None:
    assert (str(error("what to do")), error("what to do").exit_code) == ("what to do", code)


def test_a_refused_request_keeps_status_and_body() -> None:
    refused = errors.RequestRefused("no", status=422, body="limit")
    assert (str(refused), refused.status, refused.body, refused.exit_code) == ("no", 422, "limit", 1)


def test_a_missing_extra_can_be_installed_without_a_package_index() -> None:
    assert str(errors.missing_extra("tfy-etl report", "report")) == (
        "tfy-etl report needs the extra 'report', which is not installed: run pip install '.[report]' in a checkout of "
        "tfy-etl, or pip install 'WHEEL[report]' with the path of its wheel."
    )
    line = str(errors.missing_extra("The format parquet", "export", alternative="use --format csv"))
    assert line.endswith("with the path of its wheel, or use --format csv.")


def test_no_text_names_a_package_of_an_index_that_somebody_else_could_register() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "etl").rglob("*.py")]
    assert [source for source in sources if "tfy-etl[" in source] == []
